"""Plans and what a month costs under them: exact fractions, rounded once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from conftest import World
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from metered import HOUR, Event, born, close, delivered, photo, rendered, stored, use
from sqlalchemy import update

from billing import bills, estimates, explain, terms
from billing.bills import bill, month, price_of, rounded
from billing.ledger import LedgerHead, hour_of
from billing.plans import BUSINESS, FREE, GB, MEASURES, PLANS, STUDIO, Allowance, Dimension, Tier
from infra.errors import Problem
from tenants.db import db
from tenants.scope import open_site
from tenants.usage import Meter

FEBRUARY, MARCH = month(2024, 2), month(2024, 3)
TIERED = Allowance(0, (Tier(10, Decimal("0.5")), Tier(30, Decimal("0.25")), Tier(None, Decimal("0.125"))))


def test_every_dimension_has_a_measure_and_every_plan_an_end_of_its_tiers() -> None:
    assert set(MEASURES) == set(Dimension)
    for plan in PLANS.values():
        assert set(plan.allowances) == set(Dimension)
        for allowance in plan.allowances.values():
            steps = [tier.up_to for tier in allowance.tiers]
            assert all(step is not None for step in steps[:-1])
            assert steps[:-1] == sorted(set(steps[:-1]), key=lambda step: step or 0)
            assert not steps or steps[-1] is None


@pytest.mark.parametrize(("over", "cost"), [(0, 0), (10, 5), (11, 5.25), (30, 10), (38, 11)])
def test_tiers_are_graduated(over: int, cost: float) -> None:
    assert TIERED.cost(Fraction(over)) == Fraction(cost)


@given(st.fractions(0, 1000), st.fractions(0, 1000))
def test_more_never_costs_less(one: Fraction, other: Fraction) -> None:
    assert (TIERED.cost(one) <= TIERED.cost(other)) == (one <= other)


@pytest.mark.parametrize(("amount", "whole"), [("1/2", 1), ("49/100", 0), ("3/2", 2), ("-1/2", 0), ("-51/100", -1)])
def test_half_a_cent_is_rounded_up(amount: str, whole: int) -> None:
    assert rounded(Fraction(amount)) == whole


def test_months_are_utc_and_know_leap_years() -> None:
    assert FEBRUARY[1] - FEBRUARY[0] == timedelta(days=29)
    assert month(2023, 12) == (datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))


def assign(tenant_id: str, code: str, since: datetime) -> None:
    with open_site(tenant_id) as site:
        terms.assign(site, code, since=since)
        site.session.commit()


def test_a_month_on_one_plan(core: Flask, world: World) -> None:
    start, end = FEBRUARY
    born(start)
    assign(world.alpha, "studio", start)
    use(world.alpha, delivered(start, 250 * GB), stored(start, GB), *(photo(start, str(n)) for n in range(3)))
    close(end + timedelta(days=2))
    with open_site(world.alpha) as site:
        made = bill(site.session, site.tenant_id, start, end)
    lines = {line.dimension: line for line in made.lines}
    assert (lines["plan"].amount, lines["plan"].over) == (1900, "1")
    assert (lines["delivered_gb"].over, lines["delivered_gb"].amount) == ("50", 600)
    assert lines["storage_gb_hours"].quantity == GB * 29 * 24 * 3600
    assert lines["storage_gb_hours"].amount == 0
    assert lines["photos"].quantity == 3
    assert made.total == 2500


def test_a_plan_that_bills_renditions(core: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the test's own: 100 GB-hours are included, 2 cents for each of the next 50, 1 for those beyond."""
    tiers = (Tier(50, Decimal(2)), Tier(None, Decimal(1)))
    atelier = replace(
        STUDIO, code="atelier", allowances={**STUDIO.allowances, Dimension.RENDITIONS: Allowance(100, tiers)}
    )
    monkeypatch.setitem(PLANS, "atelier", atelier)  # type: ignore[arg-type]
    start, end = FEBRUARY
    born(start)
    assign(world.alpha, "atelier", start)
    assign(world.beta, "studio", start)
    for tenant_id in (world.alpha, world.beta):
        use(tenant_id, rendered(end - 20 * HOUR, 10 * GB))
    close(end + timedelta(days=2))
    with open_site(world.alpha) as site:
        made = bill(site.session, site.tenant_id, start, end)
        expected = bills.forecast(site.session, site.tenant_id, start, end, end)
        price = price_of(atelier, {Dimension.RENDITIONS: 200 * GB * 3600}, {Dimension.RENDITIONS: 7 * GB * 3600})
    lines = {line.dimension: line for line in made.lines}
    assert (lines["rendition_gb_hours"].over, lines["rendition_gb_hours"].amount) == ("100", 50 * 2 + 50)
    assert made.total == expected == 1900 + 150
    assert price == 7
    with open_site(world.beta) as site:
        shown = {line.dimension: line for line in bill(site.session, site.tenant_id, start, end).lines}
    assert (shown["rendition_gb_hours"].quantity, shown["rendition_gb_hours"].amount) == (200 * GB * 3600, 0)
    with open_site(world.alpha) as site:
        on_nothing_yet = estimates.of_upload(site, 0, GB, 0).amount
        site.session.execute(update(LedgerHead).values(level=4 * GB))
        on_what_is_there = estimates.of_upload(site, 0, GB, 0).amount
        left = (month(site.now().year, site.now().month)[1] - hour_of(site.now())) / HOUR
        site.session.rollback()
    assert on_nothing_yet == _beyond(left / 2), "half of what the originals take"
    assert on_what_is_there == _beyond(left * 2.5), "10 GB were made of 4"
    assert not any(plan.allowance(Dimension.RENDITIONS).billed for plan in (FREE, STUDIO, BUSINESS))


def _beyond(hours: float) -> int:
    """What so many GB-hours cost on that plan."""
    over = max(Fraction(hours) - 100, Fraction(0))
    return rounded(2 * min(over, Fraction(50)) + max(over - 50, Fraction(0)))


def test_a_change_of_plan_cuts_the_month_at_its_hour(core: Flask, world: World) -> None:
    start, end = FEBRUARY
    born(start)
    assign(world.alpha, "studio", start)
    assign(world.alpha, "business", datetime(2024, 2, 29, 12, 59, tzinfo=UTC))
    with open_site(world.alpha) as site:
        parts = terms.segments(site.session, site.tenant_id, start, end)
        made = bill(site.session, site.tenant_id, start, end)
    cut = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert [(part.plan.code, part.start, part.end) for part in parts] == [
        ("studio", start, cut),
        ("business", cut, end),
    ]
    hours, rest = Fraction(28 * 24 + 12, 29 * 24), Fraction(12, 29 * 24)
    assert [line.amount for line in made.lines] == [rounded(1900 * hours), rounded(9900 * rest)]


@given(st.lists(st.tuples(st.integers(0, 29 * 24 - 1), st.sampled_from(sorted(PLANS))), max_size=6))
def test_the_parts_of_a_month_make_a_month(changes: list[tuple[int, str]]) -> None:
    start, end = FEBRUARY
    cuts = sorted({start, end, *(start + timedelta(hours=hour) for hour, _ in changes)})
    parts = [terms.Segment(FREE, one, other) for one, other in pairwise(cuts)]
    assert sum((bills._share(part) for part in parts), Fraction(0)) == 1


def test_of_two_plans_for_one_hour_the_later_decision_holds(core: Flask, world: World) -> None:
    start, end = MARCH
    for code in ("business", "studio"):
        assign(world.alpha, code, start)
    with open_site(world.alpha) as site:
        assert [part.plan for part in terms.segments(site.session, site.tenant_id, start, end)] == [STUDIO]
        with pytest.raises(Problem, match="no plan"):
            terms.assign(site, "gold")


def test_the_limits_of_the_plan_in_force_are_the_tenants(core: Flask, world: World) -> None:
    assign(world.alpha, "studio", MARCH[0])
    with open_site(world.alpha) as site:
        assert site.entitlements.max_storage_bytes == STUDIO.max_storage_bytes
        assert site.entitlements.max_photos_month is None
    assign(world.alpha, "free", datetime(2024, 4, 1, tzinfo=UTC))
    with open_site(world.alpha) as site:
        assert site.entitlements.max_photos_month == FREE.max_photos_month


def test_the_price_before_one_acts_is_the_difference_that_acting_makes() -> None:
    used = {Dimension.PHOTOS: 9_999}
    assert price_of(STUDIO, used, {Dimension.PHOTOS: 1}) == 0
    assert price_of(STUDIO, used, {Dimension.PHOTOS: 1001}) == 100
    assert price_of(BUSINESS, {}, {Dimension.DELIVERED: 2_100 * GB}) == 1050


def test_a_forecast_goes_on_at_the_pace_so_far(core: Flask, world: World) -> None:
    start, end = MARCH
    born(start)
    assign(world.alpha, "studio", start)
    use(world.alpha, Event("d", Meter.DELIVERED, 150 * GB, start))
    half = start + (end - start) / 2
    close(half + timedelta(days=2))
    with open_site(world.alpha) as site:
        head = site.session.get(LedgerHead, (world.alpha, "usage"))
        assert head is not None
        assert bills.forecast(site.session, site.tenant_id, start, end, half) == 1900 + 100 * 12
        assert bills.forecast(site.session, site.tenant_id, start, end, start) == 1900
    db.session.remove()


def test_what_was_stored_is_told_from_when_until_when(core: Flask, world: World) -> None:
    """Of four assets: there all the time, gone in it, come in it, and both."""
    start, end = FEBRUARY
    before, noon, late = start - HOUR, start + timedelta(hours=12, minutes=20), end - timedelta(minutes=90)
    stays = {"whole": (before, None), "gone": (before, noon), "come": (noon, None), "both": (noon, late)}
    with open_site(world.alpha) as site:
        for name, (came, went) in stays.items():
            site.use(f"stored:{name}", Meter.STORED, 100, came, asset_id=name)
            if went:  # From the album that it had been moved to.
                site.use(f"purge:{name}", Meter.STORED, -100, went, album_id=world.alpha_album, asset_id=name)
        site.use("stored:later", Meter.STORED, 100, end, asset_id="later")
        site.session.commit()
        found = explain.shares(site.session, world.alpha, Dimension.STORAGE, start, end)
    told = {share.asset_id: (share.hour, share.until, share.quantity) for share in found}
    seconds = {name: int(((went or end) - max(came, start)).total_seconds()) for name, (came, went) in stays.items()}
    assert told == {
        "whole": (None, None, 100 * seconds["whole"]),
        "gone": (None, hour_of(noon), 100 * seconds["gone"]),
        "come": (hour_of(noon), None, 100 * seconds["come"]),
        "both": (hour_of(noon), hour_of(late), 100 * seconds["both"]),
    }
