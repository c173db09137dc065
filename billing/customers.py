"""What a tenant does with its subscription: begin, change, look after.

Money changes hands on Stripe's own pages (Checkout, Customer Portal). A change here is not believed until Stripe's
subscriptions have been read again.
"""

from typing import Any

from sqlalchemy import select

from billing import backend
from billing.accounts import BillingAccount, Subscription, account
from billing.plans import PLANS, Dimension, Plan
from billing.stripe_gateway import Snapshot, StripeGateway, Thing
from billing.stripe_names import kind_of, lookup_key
from billing.subscriptions import governing_of, refresh
from infra.errors import Problem
from tenants.scope import Site

RUNNING = frozenset({"trialing", "active", "past_due", "unpaid", "paused"})
"""Stripe's statuses of a subscription that has not ended."""
TRIAL_DAYS = 14
"""For a tenant's first subscription."""


def customer(site: Site, email: str) -> str:
    """Stripe's id of the tenant's customer, made when first needed. Commits."""
    known, name = _known(site), site.tenant.name
    if known:
        return known
    made = backend.gateway().create_customer(site.tenant_id, name, email)
    if account(site.session) is None:  # Another click may have been faster, and got the same customer.
        site.session.add(BillingAccount(tenant_id=site.tenant_id, customer=made, created_at=site.now()))
    site.session.commit()
    return made


def _known(site: Site) -> str:
    """Stripe's id of the tenant's customer, empty before it has one. Nothing is held while Stripe is asked."""
    found = account(site.session)
    who = found.customer if found else ""
    site.session.rollback()
    return who


def begin(site: Site, code: str, *, email: str, return_url: str, cancel_url: str) -> str:
    """The address of a Checkout page for a first payment, or the first after a cancellation.

    Promotion codes, tax and tax ids are Stripe's to ask for. Raises `Problem` if a subscription runs already.
    """
    plan = sold(code)
    who = customer(site, email)
    gateway = backend.gateway()
    before = gateway.subscriptions(who)
    if _running(before):
        raise Problem("conflict", "There is a subscription already: change its plan instead.")
    about: dict[str, Any] = {"metadata": {"tenant": site.tenant_id}}
    if not before:
        about["trial_period_days"] = TRIAL_DAYS
    params = {
        "mode": "subscription",
        "customer": who,
        "client_reference_id": site.tenant_id,
        "line_items": _lines(prices(gateway, plan)),
        "success_url": return_url,
        "cancel_url": cancel_url,
        "subscription_data": about,
        "automatic_tax": {"enabled": True},
        "tax_id_collection": {"enabled": True},
        # Both are what automatic tax and tax ids need of a customer who is known already.
        "customer_update": {"address": "auto", "name": "auto"},
        "allow_promotion_codes": True,
        "metadata": {"tenant": site.tenant_id},
    }
    # By the minute: a second click gets the same page, and one that was left open for a day does not stand in the way.
    return gateway.checkout(params, f"checkout:{site.tenant_id}:{code}:{site.now():%Y-%m-%dT%H:%M}")


def portal(site: Site, return_url: str) -> str:
    """The address of the Customer Portal: payment methods, invoices, address, cancelling."""
    known = _known(site)
    if not known:
        raise Problem("conflict", "There is no subscription yet: choose a plan first.")
    return backend.gateway().portal(known, return_url)


def change_plan(site: Site, code: str) -> None:
    """Move the running subscription to a plan: usage at the new prices, the flat price by the days that are left.

    The invoice of the difference is written at once. Raises `Problem` without a running subscription or if the card is
    declined.
    """
    gateway = backend.gateway()
    running = _must_run(site, gateway)
    items = _moves(running, prices(gateway, sold(code)))
    params = {"items": items, "proration_behavior": "always_invoice", "payment_behavior": "error_if_incomplete"}
    key = f"plan:{running.id}:{code}:{site.now():%Y-%m-%dT%H:%M}"
    gateway.change_subscription(running.id, params, key)
    refresh(gateway, site.tenant_id)


def cancel(site: Site, *, keep: bool = False) -> None:
    """End the subscription with the period that is paid for; `keep` takes that back."""
    gateway = backend.gateway()
    running = _must_run(site, gateway)
    key = f"cancel:{running.id}:{keep}:{site.now():%Y-%m-%dT%H:%M}"
    gateway.change_subscription(running.id, {"cancel_at_period_end": not keep}, key)
    refresh(gateway, site.tenant_id)


def preview(site: Site, code: str | None = None) -> Thing:
    """The next invoice as Stripe would write it, or what it were on plan `code` from now on."""
    gateway = backend.gateway()
    running = _must_run(site, gateway)
    params: dict[str, Any] = {"subscription": running.id}
    if code is not None:
        moves = _moves(running, prices(gateway, sold(code)))
        params["subscription_details"] = {"items": moves, "proration_behavior": "create_prorations"}
    return gateway.preview(params)


def current(site: Site) -> Subscription | None:
    """The subscription that counts, as last read; for pages, without asking Stripe."""
    found = site.session.scalars(select(Subscription)).all()
    return max(found, key=lambda each: (each.status != "canceled", each.created_at, each.id), default=None)


def sold(code: str) -> Plan:
    plan = PLANS.get(code)
    if plan is None or not plan.price:
        on_sale = ", ".join(each.code for each in PLANS.values() if each.price)
        raise Problem("invalid", f"There is no plan {code!r} to subscribe to: take one of {on_sale}.")
    return plan


def prices(gateway: StripeGateway, plan: Plan) -> dict[str, str]:
    """The plan's prices in force, by what they are for (`stripe_names.kind_of`); the flat one is first."""
    wanted = [lookup_key(plan.code)]
    wanted += [lookup_key(plan.code, dimension) for dimension in Dimension if plan.allowance(dimension).tiers]
    found = {each["lookup_key"]: each for each in gateway.all("prices", lookup_keys=wanted, active=True)}
    if missing := [key for key in wanted if key not in found]:
        raise Problem("unavailable", f"Stripe has no price {missing[0]}: run `flask --app wsgi billing sync`.")
    return {kind_of(found[key]["product"]): found[key]["id"] for key in wanted}


def _lines(by_kind: dict[str, str]) -> list[dict[str, Any]]:
    """The flat price once; a metered one has no quantity."""
    flat, *metered = by_kind.values()
    return [{"price": flat, "quantity": 1}, *({"price": each} for each in metered)]


def _moves(running: Snapshot, by_kind: dict[str, str]) -> list[dict[str, Any]]:
    """Changes of items: each price takes the place of the one for the same thing, the rest is added or ended."""
    there = {item.kind: item for item in running.items}
    moves: list[dict[str, Any]] = []
    for kind, price in by_kind.items():
        item = there.pop(kind, None)
        if item is None:
            moves.append({"price": price})
        elif item.price != price:
            moves.append({"id": item.id, "price": price})
    return moves + [{"id": item.id, "deleted": True} for item in there.values()]


def _running(found: list[Snapshot]) -> Snapshot | None:
    governing = governing_of(found)
    return governing if governing and governing.status != "canceled" else None


def _must_run(site: Site, gateway: StripeGateway) -> Snapshot:
    who = _known(site)
    running = _running(gateway.subscriptions(who)) if who else None
    if running is None:
        raise Problem("conflict", "There is no running subscription: choose a plan first.")
    return running
