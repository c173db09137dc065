"""Checkout, the portal and subscriptions from trial to canceled (docs.stripe.com/billing/subscriptions)."""

from datetime import UTC, datetime
from typing import Any

from stripe_fake.core import DAY, FakeStripe, Params, Route, Thing
from stripe_fake.forms import flag, whole
from stripe_fake.invoices import bill, prorate
from stripe_fake.refusals import invalid, on_demand

OPEN = {"trialing", "active", "past_due", "unpaid", "incomplete", "paused"}


def month_after(at: int) -> int:
    """The same day of the next month, or its last (docs.stripe.com/billing/subscriptions/billing-cycle)."""
    day = datetime.fromtimestamp(at, UTC)
    year, month = divmod(day.year * 12 + day.month, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return int(day.replace(year=year, month=month + 1, day=last).timestamp())
        except ValueError:
            continue
    raise AssertionError


def create_session(fake: FakeStripe, params: Params) -> Thing:
    if params["mode"] != "subscription":
        raise invalid("The fake sells subscriptions only.", param="mode")
    if params.get("customer"):
        fake.find("customer", params["customer"], "customer")
    for line in params["line_items"]:
        price = fake.find("price", line.get("price"), "line_items[price]")
        _fits(price, line)
    tax = flag(params.get("automatic_tax", {}).get("enabled", "false"))
    session = fake.make(
        "checkout.session",
        mode="subscription",
        status="open",
        payment_status="unpaid",
        customer=params.get("customer"),
        client_reference_id=params.get("client_reference_id"),
        success_url=params["success_url"],
        cancel_url=params.get("cancel_url"),
        automatic_tax={"enabled": tax, "liability": None, "status": None, "provider": None},
        allow_promotion_codes=flag(params.get("allow_promotion_codes", "false")),
        expires_at=fake.now() + DAY,
        currency="usd",
        custom_fields=[],
        metadata=params.get("metadata", {}),
        url="",
    )
    session["url"] = f"https://checkout.stripe.com/c/pay/{session['id']}"
    fake.things.setdefault("asked", {})[session["id"]] = {**params, "id": session["id"]}
    return fake.keep(session)


def _fits(price: Thing, line: Thing) -> None:
    if not price["active"]:
        raise invalid(f"The price specified is inactive: {price['id']}", param="line_items[price]")
    metered = price["recurring"]["usage_type"] == "metered"
    if metered and "quantity" in line:
        raise invalid("You cannot set the quantity of a metered price.", param="line_items[quantity]")
    if not metered and "quantity" not in line:
        raise invalid("Quantity is required.", param="line_items[quantity]")


def complete_checkout(fake: FakeStripe, session_id: str, *, promotion_code: str = "") -> Thing:
    """What the buyer does on Stripe's page. The subscription."""
    with fake.lock:
        session = fake.get("checkout.session", session_id)
        asked = fake.things["asked"][session_id]
        if session["status"] != "open":
            raise invalid("This Checkout Session is no longer open.")
        data = asked.get("subscription_data", {})
        code = next((p for p in fake.all("promotion_code") if p["code"] == promotion_code), None)
        made = begin(
            fake,
            session["customer"],
            asked["line_items"],
            metadata=data.get("metadata", {}),
            trial_days=whole(data.get("trial_period_days", 0), "trial_period_days"),
            tax=session["automatic_tax"]["enabled"],
            coupon=code["promotion"]["coupon"] if code and session["allow_promotion_codes"] else "",
        )
        session |= {"status": "complete", "subscription": made["id"], "payment_status": "paid"}
        fake.tell("checkout.session.completed", session)
        return made


def begin(
    fake: FakeStripe,
    customer: str,
    lines: list[Thing],
    *,
    metadata: dict[str, str],
    trial_days: int = 0,
    tax: bool = False,
    coupon: str = "",
) -> Thing:
    now = fake.now()
    trial_end = now + trial_days * DAY if trial_days else None
    made = fake.make(
        "subscription",
        customer=customer,
        status="trialing" if trial_days else "active",
        currency="usd",
        metadata=metadata,
        trial_start=now if trial_days else None,
        trial_end=trial_end,
        start_date=now,
        billing_cycle_anchor=trial_end or now,
        cancel_at_period_end=False,
        collection_method="charge_automatically",
        automatic_tax={"enabled": tax, "liability": None, "disabled_reason": None},
        discounts=[_discount(fake, customer, coupon)] if coupon else [],
        default_tax_rates=[],
    )
    made["items"] = {
        "object": "list",
        "data": [_item(fake, made, line, now, trial_end or month_after(now)) for line in lines],
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={made['id']}",
    }
    fake.tell("customer.subscription.created", fake.keep(made))
    bill(fake, made, "subscription_create")
    return made


def create(fake: FakeStripe, params: Params) -> Thing:
    """Paid at once: the fake's cards work."""
    fake.find("customer", params["customer"], "customer")
    for line in params["items"]:
        _fits(fake.find("price", line.get("price"), "items[price]"), line)
    days = whole(params.get("trial_period_days", 0), "trial_period_days")
    return begin(fake, params["customer"], params["items"], metadata=params.get("metadata", {}), trial_days=days)


def _discount(fake: FakeStripe, customer: str, coupon: str) -> str:
    source = {"coupon": coupon, "type": "coupon"}
    made = fake.keep(fake.make("discount", customer=customer, source=source, start=fake.now()))
    fake.get("coupon", coupon)["times_redeemed"] += 1
    return str(made["id"])


def _item(fake: FakeStripe, subscription: Thing, line: Thing, start: int, end: int) -> Thing:
    price = fake.get("price", line["price"])
    quantity = whole(line["quantity"], "quantity") if "quantity" in line else None
    made: dict[str, Any] = {"price": price, "subscription": subscription["id"], "quantity": quantity}
    made |= {"current_period_start": start, "current_period_end": end, "discounts": [], "tax_rates": []}
    return fake.make("subscription_item", **made)


def list_subscriptions(fake: FakeStripe, params: Params) -> Thing:
    """Without `status` the canceled ones are left out; `all` has them."""
    status = params.get("status")
    found = [
        each
        for each in fake.all("subscription")
        if params.get("customer") in (None, each["customer"])
        and (status == "all" or (each["status"] == status if status else each["status"] in OPEN))
    ]
    return fake.page(found, params, "/v1/subscriptions")


def update(fake: FakeStripe, params: Params, name: str) -> Thing:
    subscription = fake.get("subscription", name)
    if subscription["status"] not in OPEN:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if params.get("payment_behavior") == "error_if_incomplete" and subscription["customer"] in fake.broken_cards:
        raise on_demand(402)
    if "cancel_at_period_end" in params:
        subscription["cancel_at_period_end"] = flag(params["cancel_at_period_end"])
        end = subscription["items"]["data"][0]["current_period_end"]
        subscription["cancel_at"] = end if subscription["cancel_at_period_end"] else None
    if "metadata" in params:
        subscription["metadata"] |= params["metadata"]
    if "items" in params:
        before = [dict(item) for item in subscription["items"]["data"]]
        change_items(fake, subscription, params["items"])
        behaviour = params.get("proration_behavior", "create_prorations")
        if behaviour != "none":
            prorate(fake, subscription, before)
        if behaviour == "always_invoice":
            bill(fake, subscription, "subscription_update")
    fake.tell("customer.subscription.updated", subscription)
    return subscription


def change_items(fake: FakeStripe, subscription: Thing, changes: list[Thing]) -> None:
    """`{id, price}` changes an item, `{id, deleted}` ends one, `{price}` adds one."""
    items: list[Thing] = subscription["items"]["data"]
    for change in changes:
        found = next((item for item in items if item["id"] == change.get("id")), None)
        if "id" in change and found is None:
            raise invalid(f"Invalid subscription item id: {change['id']}", param="items[id]")
        if found and change.get("deleted") == "true":
            items.remove(found)
            continue
        price = fake.find("price", change.get("price"), "items[price]")
        if found:
            found["price"] = price
            continue
        if any(item["price"]["id"] == price["id"] for item in items):
            raise invalid(f"Cannot add multiple subscription items with the same price: {price['id']}")
        first = items[0]
        items.append(_item(fake, subscription, change, first["current_period_start"], first["current_period_end"]))


def cancel(fake: FakeStripe, _params: Params, name: str) -> Thing:
    subscription = fake.get("subscription", name)
    if subscription["status"] not in OPEN:
        raise invalid(f"No such subscription: '{name}'", code="resource_missing", param="id")
    subscription |= {"status": "canceled", "canceled_at": fake.now(), "ended_at": fake.now()}
    fake.tell("customer.subscription.deleted", subscription)
    return subscription


def become(fake: FakeStripe, name: str, status: str) -> Thing:
    """What Stripe's own clock and payments do: a trial that ends, a card that fails, retries that are over."""
    with fake.lock:
        subscription = fake.get("subscription", name)
        if status == "canceled":
            return cancel(fake, {}, name)
        before, subscription["status"] = subscription["status"], status
        if before == "trialing":
            for item in subscription["items"]["data"]:
                item |= {"current_period_start": fake.now(), "current_period_end": month_after(fake.now())}
        told = {"past_due": "invoice.payment_failed", "unpaid": "invoice.payment_failed", "active": "invoice.paid"}
        invoice = bill(fake, subscription, "subscription_cycle", paid=status == "active")
        fake.tell(told[status], invoice)
        fake.tell("customer.subscription.updated", subscription)
        return subscription


def create_portal(fake: FakeStripe, params: Params) -> Thing:
    fake.find("customer", params["customer"], "customer")
    made = fake.make("billing_portal.session", customer=params["customer"], return_url=params.get("return_url"), url="")
    made.pop("metadata", None)
    made["url"] = f"https://billing.stripe.com/p/session/{made['id']}"
    return fake.keep(made)


PAGING = "limit starting_after ending_before"
ROUTES = [
    Route("POST", "/v1/checkout/sessions", create_session,
          "mode! line_items! success_url! cancel_url customer client_reference_id subscription_data automatic_tax "
          "allow_promotion_codes customer_update tax_id_collection billing_address_collection metadata "
          "payment_method_collection"),
    Route("GET", "/v1/checkout/sessions/:id", lambda fake, _, name: fake.get("checkout.session", name)),
    Route("POST", "/v1/billing_portal/sessions", create_portal, "customer! return_url flow_data configuration"),
    Route("GET", "/v1/subscriptions", list_subscriptions, f"customer status price {PAGING}"),
    Route("POST", "/v1/subscriptions", create, "customer! items! metadata trial_period_days"),
    Route("GET", "/v1/subscriptions/:id", lambda fake, _, name: fake.get("subscription", name)),
    Route("POST", "/v1/subscriptions/:id", update,
          "items proration_behavior cancel_at_period_end metadata payment_behavior"),
    Route("DELETE", "/v1/subscriptions/:id", cancel, "prorate invoice_now"),
]  # fmt: skip
