"""Plans to products, prices and meters: once, again, interrupted, changed; and that Stripe's prices are the plan's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from conftest import ManualClock, World
from flask.testing import FlaskCliRunner
from hypothesis import given
from hypothesis import strategies as st
from stripe import StripeClient
from stripe_fake import KEY, FakeStripe
from stripe_fake.invoices import price_of
from stripe_stage import by_stripe

import wsgi
from billing import catalogue
from billing.plans import PLANS, STUDIO, Allowance, Dimension, Plan, Tier
from billing.stripe_gateway import StripeGateway
from billing.stripe_names import lookup_key, per_priced, rounded
from infra.errors import Problem, Unavailable
from infra.settings import Settings
from tenants.db import db


@pytest.fixture
def settings(settings: Settings, stripe_url: str) -> Settings:
    return by_stripe(settings, stripe_url)


@pytest.fixture
def gateway(stripe_url: str) -> StripeGateway:
    """Without retries of its own."""
    addresses: Any = {"api": stripe_url}
    return StripeGateway(StripeClient(KEY, base_addresses=addresses, max_network_retries=0), ())


@pytest.fixture
def flask(settings: Settings, world: World) -> Iterator[FlaskCliRunner]:
    app = wsgi.create_app(settings)
    yield app.test_cli_runner()
    with app.app_context():
        db.engine.dispose()


def written(fake: FakeStripe) -> int:
    return sum(asked.startswith("POST") for asked in fake.asked)


def test_by_command(flask: FlaskCliRunner, fake: FakeStripe) -> None:
    shown = flask.invoke(args=["billing", "sync", "--dry-run"])
    assert written(fake) == 0
    done = flask.invoke(args=["billing", "sync"])
    assert done.output == shown.output
    assert "create meter vitrine_delivered_gb\n" in done.output
    assert "create product vitrine_plan_studio\n" in done.output
    assert "create price vitrine:business:base\n" in done.output
    assert "free" not in done.output and "uploads" not in done.output
    before = written(fake)
    assert flask.invoke(args=["billing", "sync"]).output == "nothing to change\n"
    assert written(fake) == before
    fake.fail_next(500, 500, 500)
    failed = flask.invoke(args=["billing", "sync"])
    assert failed.exit_code == 1 and failed.output.startswith("error: Stripe: ")
    assert flask.invoke(args=["billing", "webhooks"]).output == "nothing was left\n"


def prices(fake: FakeStripe) -> dict[str, dict[str, Any]]:
    return {price["lookup_key"]: price for price in fake.all("price") if price["active"]}


def test_a_new_price_takes_over(gateway: StripeGateway, fake: FakeStripe) -> None:
    catalogue.sync(gateway, [STUDIO])
    old = prices(fake)
    photos = Allowance(5_000, (Tier(None, Decimal("0.2")),))
    dearer = replace(STUDIO, price=2400, name="Atelier", allowances={**STUDIO.allowances, Dimension.PHOTOS: photos})
    assert [str(change) for change in catalogue.sync(gateway, [dearer])] == [
        "update product vitrine_plan_studio",
        "create price vitrine:studio:base",
        "create price vitrine:studio:photos",
    ]
    new = prices(fake)
    assert new["vitrine:studio:base"]["unit_amount"] == 2400
    for key in new:
        assert (new[key] == old[key]) is (key not in ("vitrine:studio:base", "vitrine:studio:photos"))
    assert not fake.get("price", str(old["vitrine:studio:base"]["id"]))["active"]
    assert catalogue.sync(gateway, [dearer]) == []
    # Back to the old price: archived ones do not come back, a new one takes over again.
    catalogue.sync(gateway, [STUDIO])
    assert prices(fake)["vitrine:studio:base"]["unit_amount"] == 1900
    assert catalogue.sync(gateway, [STUDIO]) == []


def test_what_is_no_longer_sold_is_archived(gateway: StripeGateway, fake: FakeStripe) -> None:
    foreign = fake.keep(fake.make("product", name="Prints", active=True))
    catalogue.sync(gateway)
    catalogue.sync(gateway, [STUDIO])
    assert not any(key.startswith("vitrine:business") for key in prices(fake))
    assert not fake.get("product", "vitrine_plan_business")["active"]
    assert foreign["active"]
    catalogue.sync(gateway)
    assert fake.get("product", "vitrine_plan_business")["active"]
    assert catalogue.sync(gateway) == []


def test_interrupted_anywhere_it_is_run_again(gateway: StripeGateway, fake: FakeStripe) -> None:
    """Each run dies after one write, whose answer it does not get; the last prices replace others."""
    dearer = replace(STUDIO, price=2400)
    for plans in ([STUDIO], [dearer]):
        while True:
            before = written(fake)
            with dying_after_a_write(fake):
                try:
                    catalogue.sync(gateway, plans)
                except Unavailable:
                    assert written(fake) == before + 1
                    continue
            break
    assert catalogue.sync(gateway, [dearer]) == []
    names = [product["id"] for product in fake.all("product")]
    assert len(names) == len({*names})
    meters = [meter["event_name"] for meter in fake.all("billing.meter")]
    assert len(meters) == len({*meters})
    assert all(key for key in prices(fake)), "the replaced price is archived although the run that did it died"
    assert prices(fake)["vitrine:studio:base"]["unit_amount"] == 2400


@contextmanager
def dying_after_a_write(fake: FakeStripe) -> Iterator[None]:
    """The first write is carried out; its answer is an error, and so is everything after it."""
    answer, before = fake.answer, written(fake)

    def once(*asked: Any) -> Any:
        if written(fake) > before:
            fake.fail_next(500)
            return answer(*asked)
        found = answer(*asked)
        return (500, {"error": {"type": "api_error", "message": "lost"}}) if written(fake) > before else found

    fake.answer = once  # type: ignore[method-assign]
    try:
        yield
    finally:
        fake.answer = answer  # type: ignore[method-assign]


def test_a_price_that_stripe_could_not_hold_is_refused(gateway: StripeGateway) -> None:
    for tiers in ((Tier(None, Decimal("0.0000000001")),), (Tier(5, Decimal(1)),)):
        odd = Plan("odd", "Odd", 100, "usd", {Dimension.STORAGE: Allowance(1, tiers)})
        with pytest.raises(Problem):
            catalogue.sync(gateway, [odd])


@given(
    code=st.sampled_from(["studio", "business"]),
    dimension=st.sampled_from([d for d in Dimension if STUDIO.allowance(d).tiers]),
    units=st.integers(0, 50_000_000),
)
def test_stripes_price_is_the_plans(code: str, dimension: Dimension, units: int) -> None:
    """To the cent, for any quantity in Stripe's units: what the bill page says is what Stripe charges."""
    allowance = PLANS[code].allowance(dimension)
    fake = FakeStripe(ManualClock())
    steps = catalogue.tiers(allowance, dimension)
    kept = [{**each, "up_to": None if each["up_to"] == "inf" else each["up_to"], "flat_amount": None} for each in steps]
    fake.things["tiers"] = {"p": {"tiers": kept}}
    charged = price_of(fake, {"id": "p", "billing_scheme": "tiered"}, units)
    used = Fraction(units, per_priced(dimension))
    exact = allowance.cost(max(Fraction(0), used - allowance.included))
    assert abs(charged - exact) <= Fraction(1, 2)


@given(st.lists(st.integers(-(10**16), 10**16), max_size=20), st.sampled_from([1, 60, 3_600_000_000]))
def test_rounded_parts_add_up_to_the_rounded_whole(deltas: list[int], each: int) -> None:
    before = sent = 0
    for delta in deltas:
        sent += rounded(before, delta, each)
        before += delta
    assert sent == rounded(0, before, each)
    assert abs(Fraction(sent) - Fraction(before, each)) <= Fraction(1, 2)


def test_lookup_keys_are_a_plans_own() -> None:
    keys = [lookup_key(code, dimension) for code in PLANS for dimension in (None, *Dimension)]
    assert len(keys) == len({*keys})
