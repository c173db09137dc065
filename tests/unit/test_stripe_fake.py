"""The fake of Stripe itself: what it must do as Stripe documents it, so that tests on it mean something.

What both can be asked is in tests/contracts/test_stripe.py; here is what takes days, or cannot be asked of Stripe.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe
from conftest import ManualClock
from stripe import StripeClient
from stripe_fake import KEY, FakeStripe, forms
from stripe_fake.http import signed
from stripe_fake.subscriptions import become, complete_checkout, month_after

DAY = 24 * 3600
EXAMPLES = json.loads((Path(__file__).parents[1] / "stripe_fake/objects.json").read_text())


@pytest.fixture
def client(stripe_url: str) -> StripeClient:
    addresses: Any = {"api": stripe_url}
    return StripeClient(KEY, base_addresses=addresses, max_network_retries=0)


@pytest.fixture
def meter(client: StripeClient) -> str:
    params: Any = {"display_name": "Photos", "event_name": "photos", "default_aggregation": {"formula": "sum"}}
    return client.v1.billing.meters.create(params).id


@pytest.fixture
def who(client: StripeClient) -> str:
    return client.v1.customers.create({"email": "pays@example.com", "address": {"country": "DE"}}).id


def send(client: StripeClient, who: str, value: int, at: datetime, identifier: str = "e1", **more: Any) -> None:
    params: Any = {"event_name": "photos", "identifier": identifier, "timestamp": int(at.timestamp())}
    client.v1.billing.meter_events.create(params | {"payload": {"stripe_customer_id": who, "value": str(value)}} | more)


def total(client: StripeClient, meter: str, who: str, start: datetime, end: datetime, **more: Any) -> list[float]:
    params: Any = {"customer": who, "start_time": int(start.timestamp()), "end_time": int(end.timestamp()), **more}
    found = client.v1.billing.meters.event_summaries.list(meter, params).data
    return [each.aggregated_value for each in reversed(found)]


def test_identifiers_are_remembered_for_a_day_only(
    client: StripeClient, clock: ManualClock, meter: str, who: str
) -> None:
    at = clock.time
    send(client, who, 5, at)
    clock.sleep(DAY - 1)
    with pytest.raises(stripe.InvalidRequestError, match="already exists with identifier e1"):
        send(client, who, 5, at)
    clock.sleep(1)
    send(client, who, 5, at)
    assert total(client, meter, who, at, at + timedelta(minutes=1)) == [10]


@pytest.mark.parametrize(("off", "taken"), [(-35 * DAY, True), (-35 * DAY - 1, False), (300, True), (301, False)])
def test_timestamps_of_35_days_and_5_minutes(
    client: StripeClient, clock: ManualClock, meter: str, who: str, off: int, taken: bool
) -> None:
    at = clock.time + timedelta(seconds=off)
    if taken:
        send(client, who, 5, at)
    else:
        with pytest.raises(stripe.InvalidRequestError, match="timestamp"):
            send(client, who, 5, at)


@pytest.mark.parametrize(
    "wrong", [{"event_name": "films"}, {"payload": {"stripe_customer_id": "cus_1", "value": "1.5"}},
              {"payload": {"value": "1"}}, {"payload": {}}, {"identifier": "x" * 101}],
)  # fmt: skip
def test_events_that_are_refused(
    client: StripeClient, clock: ManualClock, meter: str, who: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        send(client, who, 5, clock.time, **wrong)
    assert total(client, meter, who, clock.time, clock.time + timedelta(minutes=1)) == []


def test_sums_by_period(client: StripeClient, clock: ManualClock, meter: str, who: str) -> None:
    """[start, end), of one customer, corrections included."""
    start = clock.time - timedelta(hours=12)
    for number, (minutes, value) in enumerate([(0, 1), (59, 2), (60, 4), (61, -3), (24 * 60 - 1, 8)]):
        send(client, who, value, start - timedelta(hours=12) + timedelta(minutes=minutes), f"e{number}")
    day = start - timedelta(hours=12)
    assert total(client, meter, who, day, day + timedelta(hours=1)) == [3]
    assert total(client, meter, who, day, day + timedelta(days=1)) == [12]
    assert total(client, meter, who, day, day + timedelta(days=1), value_grouping_window="hour") == [3, 1, 8]
    other = client.v1.customers.create({}).id
    assert total(client, meter, other, day, day + timedelta(days=1)) == []
    with pytest.raises(stripe.InvalidRequestError, match="align"):
        total(client, meter, who, day + timedelta(seconds=1), day + timedelta(hours=1))


def test_idempotency_keys(client: StripeClient, fake: FakeStripe, clock: ManualClock) -> None:
    """The first answer for a day, another request under the key refused, a refusal not kept, a lost answer kept."""
    key: Any = {"idempotency_key": "k"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.create({"name": ""}, key)
    first = client.v1.products.create({"name": "a"}, key).id
    assert client.v1.products.create({"name": "a"}, key).id == first
    with pytest.raises(stripe.IdempotencyError):
        client.v1.products.create({"name": "b"}, key)
    clock.sleep(DAY)
    second = client.v1.products.create({"name": "a"}, key).id
    assert second != first
    fake.lose_answers = 1
    with pytest.raises(stripe.APIConnectionError):
        client.v1.products.create({"name": "c"}, {"idempotency_key": "lost"})
    assert client.v1.products.create({"name": "c"}, {"idempotency_key": "lost"}).name == "c"
    assert [product["name"] for product in fake.all("product")] == ["a", "a", "c"]


def test_errors_in_stripes_shapes(client: StripeClient, fake: FakeStripe, stripe_url: str) -> None:
    """As stripe-python tells them apart by HTTP status, type and code."""
    for status, kind in (
        (402, stripe.CardError), (409, stripe.APIError), (429, stripe.RateLimitError), (500, stripe.APIError),
    ):  # fmt: skip
        fake.fail_next(status)
        with pytest.raises(kind) as caught:
            client.v1.products.list()
        assert caught.value.http_status == status
    stranger = StripeClient("sk_test_wrong", base_addresses={"api": stripe_url}, max_network_retries=0)
    with pytest.raises(stripe.AuthenticationError):
        stranger.v1.products.list()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.products.retrieve("nothing")
    assert (caught.value.code, caught.value.param) == ("resource_missing", "id")
    headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": "2026-10-28.endive"}
    answer = requests.post(f"{stripe_url}/v1/subscription_items/si_1/usage_records", headers=headers, timeout=20)
    assert answer.status_code == 404, "usage records are gone from the API"


def test_lists_have_pages(client: StripeClient, fake: FakeStripe) -> None:
    for number in range(25):
        client.v1.products.create({"name": str(number)})
    page = client.v1.products.list({"limit": 10})
    assert [product.name for product in page.data] == [str(number) for number in range(24, 14, -1)]
    assert page.has_more
    assert len(list(page.auto_paging_iter())) == 25
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.products.list({"limit": 101})


def test_objects_have_stripes_own_fields(fake: FakeStripe) -> None:
    for kind, example in EXAMPLES.items():
        assert {*fake.make(kind)} == {*example}, kind
        with pytest.raises(KeyError):
            fake.make(kind, colour="red")


def test_forms() -> None:
    assert forms.parse("a=1&b[c]=2&b[d][]=3&b[d][]=4&items[0][price]=p&items[1][price]=q") == {
        "a": "1",
        "b": {"c": "2", "d": ["3", "4"]},
        "items": [{"price": "p"}, {"price": "q"}],
    }


def test_signatures_are_the_ones_that_stripes_library_checks() -> None:
    body, headers = signed({"id": "evt_1", "object": "event"}, "whsec_a")
    header = headers["Stripe-Signature"]
    assert stripe.WebhookSignature.verify_header(body.decode(), header, "whsec_a", 300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode(), header, "whsec_b", 300)


def test_months_end_where_the_shorter_month_ends() -> None:
    def at(*day: int) -> int:
        return int(datetime.fromisoformat("{:04}-{:02}-{:02}T10:00:00+00:00".format(*day)).timestamp())

    assert month_after(at(2024, 1, 31)) == at(2024, 2, 29)
    assert month_after(at(2026, 1, 30)) == at(2026, 2, 28)
    assert month_after(at(2026, 12, 5)) == at(2027, 1, 5)


@pytest.fixture
def prices(client: StripeClient, meter: str) -> dict[str, str]:
    """Flat 10.00 and 30.00, and photos: 100 free, then 2 cents to 200, then 1."""
    product = client.v1.products.create({"name": "Plan"}).id
    made = {}
    for amount in (1000, 3000):
        params: Any = {"product": product, "currency": "usd", "unit_amount": amount, "recurring": {"interval": "month"}}
        made[str(amount)] = client.v1.prices.create(params).id
    steps = [("100", "0"), ("200", "2"), ("inf", "1")]
    tiers = [{"up_to": end, "unit_amount_decimal": price} for end, price in steps]
    metered: Any = {"interval": "month", "usage_type": "metered", "meter": meter}
    params = {"product": product, "currency": "usd", "billing_scheme": "tiered", "tiers_mode": "graduated"}
    made["photos"] = client.v1.prices.create(params | {"tiers": tiers, "recurring": metered}).id
    return made


def test_a_month_with_usage_tax_and_a_coupon(
    client: StripeClient, fake: FakeStripe, clock: ManualClock, prices: dict[str, str], who: str
) -> None:
    """Checkout with a promotion code and tax; half of the month later another plan; the next invoice by hand."""
    coupon = client.v1.coupons.create({"percent_off": 50, "duration": "forever"}).id
    client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon}, "code": "HALF"})
    params: Any = {
        "mode": "subscription",
        "customer": who,
        "line_items": [{"price": prices["1000"], "quantity": 1}, {"price": prices["photos"]}],
        "success_url": "https://alpha.example/",
        "automatic_tax": {"enabled": True},
        "allow_promotion_codes": True,
    }
    page = client.v1.checkout.sessions.create(params)
    made = complete_checkout(fake, page.id, promotion_code="HALF")
    assert client.v1.checkout.sessions.retrieve(page.id).status == "complete"
    (first,) = client.v1.invoices.list({"customer": who}).data
    assert (first.subtotal, first.total) == (1000, 595)
    send(client, who, 250, clock.time)
    upcoming = client.v1.invoices.create_preview({"subscription": made["id"]})
    assert upcoming.subtotal == 1000 + 100 * 2 + 50 * 1
    items = client.v1.subscriptions.retrieve(made["id"]).items.data  # type: ignore[union-attr, attr-defined]
    clock.sleep((items[0].current_period_end - items[0].current_period_start) / 2)
    change: Any = {"items": [{"id": items[0].id, "price": prices["3000"]}], "proration_behavior": "always_invoice"}
    client.v1.subscriptions.update(made["id"], change)
    latest = client.v1.invoices.list({"customer": who}).data[0]
    assert [line.amount for line in latest.lines.data] == [-500, 1500]
    assert latest.total == 595


def test_walks_through_states_and_tells(
    client: StripeClient, fake: FakeStripe, prices: dict[str, str], who: str
) -> None:
    params: Any = {"customer": who, "items": [{"price": prices["1000"], "quantity": 1}], "trial_period_days": 7}
    made = client.v1.subscriptions.create(params)
    seen = len(fake.events)
    for status in ("active", "past_due", "unpaid"):
        become(fake, made.id, status)
        assert client.v1.subscriptions.retrieve(made.id).status == status
    client.v1.subscriptions.cancel(made.id)
    assert [event["type"].rpartition(".")[2] for event in fake.events[seen:]] == [
        "paid", "updated", "payment_failed", "updated", "payment_failed", "updated", "deleted",
    ]  # fmt: skip
    assert client.v1.subscriptions.list({"customer": who}).data == []
    assert len(client.v1.subscriptions.list({"customer": who, "status": "all"}).data) == 1
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
