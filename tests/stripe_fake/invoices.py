"""Invoices: what a subscription costs, previews and prorations (docs.stripe.com/api/invoices/create_preview)."""

import copy
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from stripe_fake.core import FakeStripe, Params, Route, Thing
from stripe_fake.forms import whole
from stripe_fake.meters import usage
from stripe_fake.refusals import Refusal, invalid

TAXED = {"DE": Decimal("0.19")}
"""One rate is enough to see that tax was asked for."""


def cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def price_of(fake: FakeStripe, price: Thing, quantity: int) -> int:
    """Minor units for `quantity`; each tier of a graduated price counts what falls into it."""
    if price["billing_scheme"] == "per_unit":
        return cents(Decimal(price["unit_amount_decimal"]) * quantity)
    total, below = Decimal(0), 0
    for tier in fake.things["tiers"][price["id"]]["tiers"]:
        top = quantity if tier["up_to"] is None else min(quantity, tier["up_to"])
        if top > below:
            total += Decimal(tier["unit_amount_decimal"]) * (top - below) + (tier["flat_amount"] or 0)
            below = top
    return cents(total)


def line(fake: FakeStripe, item: Thing, subscription: Thing) -> Thing:
    price, start, end = item["price"], item["current_period_start"], item["current_period_end"]
    quantity = item["quantity"]
    if price["recurring"]["usage_type"] == "metered":
        meter = fake.get("billing.meter", price["recurring"]["meter"])
        quantity = max(0, usage(fake, meter, subscription["customer"], start, end) or 0)
    amount = 0 if subscription["status"] == "trialing" else price_of(fake, price, quantity)
    return _line(fake, amount, price, start, end, quantity=quantity, subscription=subscription["id"], item=item["id"])


def _line(fake: FakeStripe, amount: int, price: Thing, start: int, end: int, **about: Any) -> Thing:
    details = {
        "invoice_item": None,
        "proration": about.get("proration", False),
        "proration_details": None,
        "subscription": about["subscription"],
        "subscription_item": about["item"],
    }
    made: dict[str, Any] = {
        "amount": amount,
        "subtotal": amount,
        "currency": "usd",
        "description": fake.get("product", price["product"])["name"],
        "period": {"start": start, "end": end},
        "quantity": about["quantity"],
        "pricing": {"type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"]},
        "parent": {"type": "subscription_item_details", "subscription_item_details": details},
        "discountable": True,
    }
    return fake.make("line_item", **made)


def prorate(fake: FakeStripe, subscription: Thing, before: list[Thing]) -> list[Thing]:
    """A credit for the unused time of each flat price that changed and a charge for the new one's, kept as pending."""
    now, made = fake.now(), []
    old = {item["id"]: item for item in before}
    for item in subscription["items"]["data"]:
        was = old.get(item["id"])
        if was is None or was["price"]["id"] == item["price"]["id"] or item["quantity"] is None:
            continue
        start, end = item["current_period_start"], item["current_period_end"]
        share = Decimal(end - now) / Decimal(end - start) if subscription["status"] != "trialing" else Decimal(0)
        for sign, price in ((-1, was["price"]), (1, item["price"])):
            amount = cents(sign * share * price_of(fake, price, item["quantity"]))
            about = {"quantity": item["quantity"], "subscription": subscription["id"], "item": item["id"]}
            made.append(_line(fake, amount, price, now, end, proration=True, **about))
    fake.things.setdefault("pending", {}).setdefault(subscription["id"], {"lines": []})["lines"] += made
    return made


def compose(fake: FakeStripe, subscription: Thing, lines: list[Thing], **values: Any) -> Thing:
    subtotal = sum(each["amount"] for each in lines)
    off = min(subtotal, sum(_off(fake, name, subtotal) for name in subscription["discounts"]))
    customer = fake.get("customer", subscription["customer"])
    country = (customer["address"] or {}).get("country")
    enabled = subscription["automatic_tax"]["enabled"]
    rate = TAXED.get(country or "", Decimal(0)) if enabled else Decimal(0)
    tax = cents((subtotal - off) * rate)
    status = ("complete" if country else "requires_location_inputs") if enabled else None
    total = subtotal - off + tax
    made: dict[str, Any] = {
        "customer": customer["id"],
        "currency": "usd",
        "automatic_tax": {**subscription["automatic_tax"], "status": status, "provider": "stripe"},
        "lines": {"object": "list", "data": lines, "has_more": False, "url": "/v1/invoices/lines"},
        "subtotal": subtotal,
        "total_discount_amounts": [{"amount": off, "discount": name} for name in subscription["discounts"]],
        "total_taxes": [{"amount": tax, "tax_behavior": "exclusive"}] if rate else [],
        "total": total,
        "amount_due": max(0, total),
        "discounts": list(subscription["discounts"]),
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription["id"]}},
    }
    return fake.make("invoice", **{**made, **values})


def _off(fake: FakeStripe, name: str, subtotal: int) -> int:
    coupon = fake.get("coupon", fake.get("discount", name)["source"]["coupon"])
    if coupon["percent_off"] is not None:
        return cents(Decimal(str(coupon["percent_off"])) * subtotal / 100)
    return int(coupon["amount_off"])


def bill(fake: FakeStripe, subscription: Thing, reason: str, *, paid: bool = True) -> Thing:
    """Flat prices are billed in advance; usage comes at the period's end, which `create_preview` shows."""
    pending = fake.things.get("pending", {}).pop(subscription["id"], {"lines": []})["lines"]
    lines = pending
    if reason != "subscription_update":
        flat = [item for item in subscription["items"]["data"] if item["quantity"] is not None]
        lines = [*pending, *(line(fake, item, subscription) for item in flat)]
    invoice = compose(fake, subscription, lines, billing_reason=reason, status="paid" if paid else "open")
    invoice |= {"amount_paid": invoice["amount_due"] if paid else 0, "attempted": True, "attempt_count": 1}
    invoice["amount_remaining"] = invoice["amount_due"] - invoice["amount_paid"]
    subscription["latest_invoice"] = invoice["id"]
    return fake.keep(invoice)


def preview(fake: FakeStripe, params: Params) -> Thing:
    """The next invoice, or what it would be with other items. Nothing changes."""
    from stripe_fake.subscriptions import change_items

    subscription = fake.find("subscription", params.get("subscription"), "subscription")
    if params.get("customer") not in (None, subscription["customer"]):
        raise invalid("The subscription does not belong to the customer.", param="customer")
    details = params.get("subscription_details", {})
    pending = fake.things.get("pending", {}).get(subscription["id"], {"lines": []})["lines"]
    lines = list(pending)
    draft = copy.deepcopy(subscription)
    if "items" in details:
        before = [dict(item) for item in draft["items"]["data"]]
        change_items(fake, draft, details["items"])
        if details.get("proration_behavior", "create_prorations") != "none":
            kept = copy.deepcopy(fake.things.get("pending", {}))
            lines += prorate(fake, draft, before)
            fake.things["pending"] = kept
    lines += [line(fake, item, draft) for item in draft["items"]["data"]]
    return compose(fake, draft, lines, billing_reason="upcoming", status="draft", id=f"upcoming_{subscription['id']}")


def list_invoices(fake: FakeStripe, params: Params) -> Thing:
    found = [i for i in fake.all("invoice") if params.get("customer") in (None, i["customer"])]
    return fake.page(found, params, "/v1/invoices")


def pay(fake: FakeStripe, _params: Params, name: str) -> Thing:
    invoice = fake.get("invoice", name)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["customer"] in fake.broken_cards:
        raise Refusal(402, "card_error", "Your card was declined.", code="card_declined")
    invoice |= {"status": "paid", "amount_paid": invoice["amount_due"], "amount_remaining": 0}
    return invoice


def create_item(fake: FakeStripe, params: Params) -> Thing:
    """A one-off on the customer's next invoice."""
    fake.find("customer", params["customer"], "customer")
    amount = whole(params.get("amount"), "amount")
    made = fake.make(
        "invoiceitem",
        customer=params["customer"],
        amount=amount,
        currency=params.get("currency", "usd"),
        description=params.get("description"),
        date=fake.now(),
        metadata=params.get("metadata", {}),
    )
    return fake.keep(made)


PAGING = "limit starting_after ending_before"
ROUTES = [
    Route("POST", "/v1/invoices/create_preview", preview, "customer subscription! subscription_details"),
    Route("GET", "/v1/invoices", list_invoices, f"customer subscription status {PAGING}"),
    Route("GET", "/v1/invoices/:id", lambda fake, _, name: fake.get("invoice", name)),
    Route("POST", "/v1/invoices/:id/pay", pay),
    Route("POST", "/v1/invoiceitems", create_item, "customer! amount currency description metadata invoice"),
    Route("GET", "/v1/invoiceitems",
          lambda fake, params: fake.page(fake.all("invoiceitem"), params, "/v1/invoiceitems"), f"customer {PAGING}"),
]  # fmt: skip
