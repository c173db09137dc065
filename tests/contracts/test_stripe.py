"""What Vitrine asks of Stripe, against a fake of it and, with a test-mode key, against Stripe itself.

`make test-stripe` with `VITRINE_TEST_STRIPE_KEY=sk_test_…` in the environment leaves Vitrine's products,
prices and meters in that account, and a customer or two a test. A key of live mode is not used.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import stripe
from stripe import StripeClient
from stripe_fake import KEY, FakeStripe, running

from billing import catalogue, customers
from billing.plans import PLANS, Dimension
from billing.stripe_gateway import Duplicate, StripeGateway
from billing.stripe_names import meter_name
from infra.errors import Problem
from infra.local.clock import SystemClock
from tenants.names import new_id

TEST_KEY = os.environ.get("VITRINE_TEST_STRIPE_KEY", "")
BEHIND = ["a fake of Stripe", *(["Stripe in test mode"] if TEST_KEY.startswith(("sk_test_", "rk_test_")) else [])]
DAY = timedelta(days=1)


@dataclass
class Stand:
    """`wait` is how long Stripe's sums may lag behind events, in seconds."""

    gateway: StripeGateway
    wait: float

    @property
    def client(self) -> StripeClient:
        return self.gateway.client

    @property
    def now(self) -> datetime:
        return SystemClock().now()

    def customer(self) -> str:
        """A new one, in a country with tax, whose card works."""
        params: Any = {"email": "pays@example.com", "address": {"country": "DE", "postal_code": "10115"}}
        made = self.client.v1.customers.create(params)
        if self.wait:
            client: Any = self.client.v1
            card = client.payment_methods.attach("pm_card_visa", {"customer": made.id})
            client.customers.update(made.id, {"invoice_settings": {"default_payment_method": card.id}})
        return made.id

    def meter(self, dimension: Dimension) -> str:
        """Stripe's id of it."""
        found = self.gateway.all("meters", status="active")
        return next(each["id"] for each in found if each["event_name"] == meter_name(dimension))

    def until(self, holds: Callable[[], bool]) -> bool:
        """Whether it holds, at once for the fake and before long for Stripe."""
        deadline = time.monotonic() + self.wait
        while not holds():
            if time.monotonic() >= deadline:
                return False
            time.sleep(5)
        return True


@pytest.fixture(scope="module", params=BEHIND)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    if request.param.startswith("Stripe"):
        made = Stand(StripeGateway(StripeClient(TEST_KEY, max_network_retries=2), ()), wait=300)
        catalogue.sync(made.gateway)
        yield made
        return
    with running(FakeStripe(SystemClock())) as url:
        addresses: Any = {"api": url}
        made = Stand(StripeGateway(StripeClient(KEY, base_addresses=addresses), ()), wait=0)
        catalogue.sync(made.gateway)
        yield made


def test_a_second_synchronisation_changes_nothing(stand: Stand) -> None:
    assert catalogue.sync(stand.gateway) == []


def test_a_customer_is_made_once(stand: Stand) -> None:
    tenant = new_id()
    first = stand.gateway.create_customer(tenant, "Alpha", "alice@example.com")
    assert stand.gateway.create_customer(tenant, "Alpha", "alice@example.com") == first
    assert stand.client.v1.customers.retrieve(first).metadata["tenant"] == tenant
    with pytest.raises(stripe.IdempotencyError):
        params: Any = {"name": "Beta", "email": "", "metadata": {"tenant": tenant}}
        stand.client.v1.customers.create(params, {"idempotency_key": f"customer:{tenant}"})


def test_a_meter_event_counts_once_in_its_minute(stand: Stand) -> None:
    who, at, meter = stand.customer(), minute(stand.now), meter_name(Dimension.PHOTOS)
    name = new_id()
    stand.gateway.meter_event(meter, who, 41, at, name)
    stand.gateway.meter_event(meter, who, 41, at, name)  # The same request: the same answer.
    with pytest.raises(Duplicate):
        params: Any = {"event_name": meter, "identifier": name, "timestamp": int(at.timestamp())}
        other_key(stand, {**params, "payload": {"stripe_customer_id": who, "value": "41"}})
    stand.gateway.meter_event(meter, who, -1, at - timedelta(minutes=1), new_id())
    stand.gateway.meter_event(meter, who, 3, at - timedelta(minutes=5), new_id())

    def total(minutes: int) -> int | None:
        start = at - timedelta(minutes=minutes)
        return stand.gateway.metered(stand.meter(Dimension.PHOTOS), who, start, at + timedelta(minutes=1))

    assert stand.until(lambda: total(5) == 43)
    assert (total(0), total(1)) == (41, 40)
    early = at - DAY
    assert stand.gateway.metered(stand.meter(Dimension.PHOTOS), who, early, early + timedelta(hours=1)) is None


def other_key(stand: Stand, params: Any) -> None:
    """Without our idempotency key: what a later day's request looks like, if Stripe still knows the identifier."""
    try:
        stand.client.v1.billing.meter_events.create(params)
    except stripe.InvalidRequestError as error:
        assert "event already exists with identifier" in str(error.user_message)
        raise Duplicate from None


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) - timedelta(minutes=1)


@pytest.mark.parametrize("off", [-36 * DAY, timedelta(hours=1)], ids=["35 days ago", "in the future"])
def test_a_meter_event_out_of_time_is_refused(stand: Stand, off: timedelta) -> None:
    with pytest.raises(Problem, match="timestamp"):
        stand.gateway.meter_event(meter_name(Dimension.PHOTOS), stand.customer(), 1, stand.now + off, new_id())


def test_an_unknown_meter_is_refused(stand: Stand) -> None:
    with pytest.raises(Problem, match="vitrine_no_such"):
        stand.gateway.meter_event("vitrine_no_such", stand.customer(), 1, stand.now, new_id())


def subscribed(stand: Stand, code: str, **more: Any) -> str:
    """The customer of a new subscription."""
    who = stand.customer()
    lines = customers._lines(customers.prices(stand.gateway, PLANS[code]))
    params: Any = {"customer": who, "items": lines, "metadata": {"tenant": "alpha"}, **more}
    stand.client.v1.subscriptions.create(params)
    return who


def test_a_subscription_is_read_as_it_is(stand: Stand) -> None:
    (found,) = stand.gateway.subscriptions(subscribed(stand, "studio", trial_period_days=14))
    assert (found.plan, found.status, found.tenant, found.ends_with_period) == ("studio", "trialing", "alpha", False)
    assert found.trial_end is not None and found.period_end == found.trial_end
    assert abs(found.trial_end - stand.now - 14 * DAY) < timedelta(minutes=5)
    assert next(item.kind for item in found.items) == "plan"
    assert stand.gateway.subscriptions(stand.customer()) == []
    later = stand.gateway.change_subscription(found.id, {"cancel_at_period_end": True}, new_id())
    assert later.ends_with_period


def test_another_plan_is_prorated(stand: Stand) -> None:
    """At once: nearly all of the month is given back and charged again."""
    who = subscribed(stand, "studio")
    (running,) = stand.gateway.subscriptions(who)
    moves = customers._moves(running, customers.prices(stand.gateway, PLANS["business"]))
    details = {"items": moves, "proration_behavior": "create_prorations"}
    shown = stand.gateway.preview({"subscription": running.id, "subscription_details": details})
    amounts = [line["amount"] for line in shown["lines"]["data"]]
    assert any(-1900 <= amount < -1890 for amount in amounts)
    assert any(9800 < amount <= 9900 for amount in amounts)
    made = stand.gateway.change_subscription(
        running.id, {"items": moves, "proration_behavior": "always_invoice"}, new_id()
    )
    assert made.plan == "business"
    assert {item.kind for item in made.items} == {item.kind for item in running.items}
    bill = stand.client.v1.invoices.list({"customer": who}).data[0]
    assert 7900 < bill.total <= 8000
    assert bill.billing_reason == "subscription_update"


def test_pages_of_stripes_own(stand: Stand) -> None:
    who = stand.customer()
    params: dict[str, Any] = {
        "mode": "subscription",
        "customer": who,
        "line_items": customers._lines(customers.prices(stand.gateway, PLANS["business"])),
        "success_url": "https://alpha.example/dashboard/",
        "allow_promotion_codes": True,
        "subscription_data": {"trial_period_days": 14, "metadata": {"tenant": "alpha"}},
    }
    key = new_id()
    page = stand.gateway.checkout(params, key)
    assert page.startswith("https://checkout.stripe.com/")
    assert stand.gateway.checkout(params, key) == page


def test_errors_name_what_is_wrong(stand: Stand) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stand.client.v1.customers.retrieve("cus_nobody")
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (404, "resource_missing", "id")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        params: Any = {"customer": "cus_nobody", "return_url": "https://alpha.example/"}
        stand.client.v1.billing_portal.sessions.create(params)
    assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        wrong: Any = {"name": "x", "colour": "red"}
        stand.client.v1.products.create(wrong)
    assert (caught.value.code, caught.value.param) == ("parameter_unknown", "colour")
