"""Meter events to a fake of Stripe: what it counts is what the ledger has, whatever is lost, late or reported."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from conftest import ManualClock, World
from flask import Flask
from metered import HOUR, born, close, delivered, ledger_of, meter_events, photo, rendered, stored, uploaded, use
from stripe_fake import FakeStripe
from stripe_fake.meters import report_errors
from stripe_stage import Stage, by_stripe, on_clock

from billing import catalogue, outgoing, reports, webhook
from billing.ledger import MeterRow
from billing.plans import PLANS, STUDIO, Allowance, Dimension, Tier
from billing.stripe_names import meter_name, metered, unit
from billing.stripe_sink import StripeSink
from infra.settings import Settings

pytestmark = pytest.mark.every_database


@pytest.fixture
def settings(settings: Settings, stripe_url: str) -> Settings:
    return by_stripe(settings, stripe_url)


@pytest.fixture
def stage(core: Flask, world: World, fake: FakeStripe, settings: Settings, clock: ManualClock) -> Stage:
    born(clock.time)
    made = Stage.of(on_clock(core, clock), fake, settings)
    made.account(world.alpha)
    return made


@pytest.fixture
def sink(stage: Stage) -> StripeSink:
    return StripeSink(stage.gateway)


def some_use(world: World, clock: ManualClock) -> None:
    """Two hours of it, closed, and an hour later one that is late: a second revision."""
    at = clock.time
    for tenant_id in (world.alpha, world.beta):
        use(
            tenant_id,
            stored(at, 123_456_789),
            delivered(at, 10**12 + 7),
            photo(at),
            uploaded(at),
            photo(at + HOUR, "b"),
        )
    clock.sleep(3 * 3600)
    close(clock.time)
    use(world.alpha, delivered(at, 5, "late"), photo(at, "late"))
    clock.sleep(3600)
    close(clock.time)


def counted(fake: FakeStripe, dimension: Dimension) -> int:
    """What the fake has of alpha, which is its only customer."""
    events = [event for event in fake.meter_events if event["event_name"] == meter_name(dimension)]
    return sum(int(event["payload"]["value"]) for event in events)


def equals_the_ledger(fake: FakeStripe, tenant_id: str) -> bool:
    """In Stripe's units; storage and video are rounded once, over all windows."""
    of: dict[Dimension, int] = dict.fromkeys(Dimension, 0)
    for (dimension, _), quantity in ledger_of(tenant_id).items():
        of[dimension] += quantity
    sold = [dimension for dimension in Dimension if metered(dimension)]
    return all(counted(fake, each) == (2 * of[each] + unit(each)) // (2 * unit(each)) for each in sold)


def states(tenant_id: str) -> set[str]:
    return {row.state for row in meter_events(tenant_id)}


def of_meter(tenant_id: str, dimension: Dimension) -> list[MeterRow]:
    return [row for row in meter_events(tenant_id) if row.meter == dimension.value]


def test_sums_equal_the_ledger(stage: Stage, sink: StripeSink, world: World, clock: ManualClock) -> None:
    """Beta is not Stripe's customer: its events are in the ledger, and nothing goes out."""
    some_use(world, clock)
    assert outgoing.run(sink)["sent"] > 8
    assert equals_the_ledger(stage.fake, world.alpha)
    assert states(world.alpha) == states(world.beta) == {"sent"}
    assert len({event["payload"]["stripe_customer_id"] for event in stage.fake.meter_events}) == 1
    assert outgoing.run(sink) == {}


def test_renditions_go_to_stripe_where_a_plan_bills_them(
    stage: Stage, sink: StripeSink, world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Studio of the test's own. Until its meter is in Stripe, events wait."""
    use(world.alpha, rendered(clock.time, 123_456_789))
    clock.sleep(2 * 3600)
    close(clock.time)
    assert outgoing.run(sink) == {"sent": 1}
    assert stage.fake.meter_events == []
    billed = {**STUDIO.allowances, Dimension.RENDITIONS: Allowance(10, (Tier(None, Decimal("0.004")),))}
    monkeypatch.setitem(PLANS, "studio", replace(STUDIO, allowances=billed))  # type: ignore[arg-type]
    clock.sleep(3600)
    close(clock.time)
    assert "sent" not in outgoing.run(sink)
    done = [str(change) for change in catalogue.sync(stage.gateway)]
    assert {"create meter vitrine_rendition_gb_hours", "create price vitrine:studio:rendition_gb_hours"} <= {*done}
    assert outgoing.run(sink) == {"sent": 1}
    assert counted(stage.fake, Dimension.RENDITIONS) == 247 - 123, "megabyte-hours, rounded over all"


def test_lost_answers_count_once(stage: Stage, sink: StripeSink, world: World, clock: ManualClock) -> None:
    """Stripe has the event and the answer never comes: the library asks again, then the next run does."""
    some_use(world, clock)
    for lost in (1, 3, 0):
        stage.fake.lose_answers = lost
        outgoing.run(sink)
        clock.sleep(3600)
    assert states(world.alpha) == {"sent"}
    assert equals_the_ledger(stage.fake, world.alpha)


def test_stripe_away(stage: Stage, sink: StripeSink, world: World, clock: ManualClock) -> None:
    some_use(world, clock)
    stage.fake.fail_next(500, 429, 500)
    outgoing.run(sink)
    assert "waiting" in states(world.alpha)
    outgoing.run(sink)
    assert equals_the_ledger(stage.fake, world.alpha)


def test_older_than_stripe_takes(stage: Stage, sink: StripeSink, world: World, clock: ManualClock) -> None:
    """Refused by us, an hour before Stripe would, and kept for a person."""
    some_use(world, clock)
    clock.sleep(timedelta(days=35).total_seconds())
    outgoing.run(sink)
    assert states(world.alpha) == {"refused"}
    assert all("35 days" in row.why for row in meter_events(world.alpha))
    assert stage.fake.meter_events == []


@pytest.mark.parametrize("arrived", [True, False])
def test_a_doubt_is_settled_by_stripes_sum(
    stage: Stage, sink: StripeSink, world: World, clock: ManualClock, arrived: bool
) -> None:
    """A day of silence: Stripe has forgotten identifiers by then, so nothing is sent again before its sum is read."""
    some_use(world, clock)
    if arrived:
        stage.fake.lose_answers = 3
    else:
        stage.fake.fail_next(500, 500, 500)
    outgoing.run(sink)
    clock.sleep(24 * 3600)
    assert outgoing.run(sink)["doubtful"] == 1
    assert reports.look(sink) == {}
    clock.sleep(2 * 3600)
    assert reports.look(sink) == {"settled" if arrived else "resent": 1}
    outgoing.run(sink)
    assert states(world.alpha) == {"sent"}
    assert equals_the_ledger(stage.fake, world.alpha)


@pytest.mark.parametrize("samples", [10, 0])
def test_a_report_of_errors(stage: Stage, sink: StripeSink, world: World, clock: ManualClock, samples: int) -> None:
    """Stripe took an event and dropped it. With fewer samples than errors all of the meter's events are looked at."""
    some_use(world, clock)
    outgoing.run(sink)
    delivered_rows = of_meter(world.alpha, Dimension.DELIVERED)
    dropped = delivered_rows[0]
    meter = next(m for m in stage.fake.all("billing.meter") if m["event_name"] == meter_name(Dimension.DELIVERED))
    event = report_errors(stage.fake, meter, "meter_event_customer_not_found", [dropped.identifier], samples=samples)
    assert not equals_the_ledger(stage.fake, world.alpha)
    webhook.store(event)
    assert webhook.handle(stage.gateway, event["id"]) == "done"
    doubtful = [row for row in meter_events(world.alpha) if row.state == "doubtful"]
    assert [row.identifier for row in doubtful] == [
        row.identifier for row in (delivered_rows if samples == 0 else [dropped])
    ]
    clock.sleep(26 * 3600)
    assert reports.look(sink)["resent"] == 1
    assert outgoing.run(sink) == {"sent": 1}
    assert states(world.alpha) == {"sent"}
    assert equals_the_ledger(stage.fake, world.alpha)


def test_a_sum_that_fits_neither_asks_a_person(
    stage: Stage, sink: StripeSink, world: World, clock: ManualClock
) -> None:
    some_use(world, clock)
    stage.fake.lose_answers = 3
    outgoing.run(sink)
    stage.fake.meter_events[0]["payload"]["value"] = "424242"
    clock.sleep(26 * 3600)
    outgoing.run(sink)
    assert reports.look(sink) == {"undecided": 1}
    assert reports.look(sink) == {}
    left = [row for row in meter_events(world.alpha) if row.state == "doubtful"]
    assert [row.why for row in left] == ["look by hand: Stripe's sum of its minute fits neither"]
