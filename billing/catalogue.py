"""Plans as Stripe's products, prices and meters. A synchronisation makes what is missing and changes what differs; a
second one changes nothing.

A price in Stripe never changes: a new one takes over its lookup key and the old one is archived. Subscriptions keep the
price that they were made with until they are moved (`billing/customers.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from billing.plans import PLANS, Allowance, Dimension, Plan
from billing.stripe_gateway import StripeGateway, Thing
from billing.stripe_names import PREFIX, lookup_key, meter_name, metered, per_priced, plan_product, use_product
from infra.errors import Problem

DECIMALS = 12
"""Of a cent, in Stripe's `unit_amount_decimal`."""
TAX_CODE = "txcd_10103001"
"""Software as a service, for business use (docs.stripe.com/tax/tax-codes)."""


@dataclass(frozen=True)
class Change:
    """One line of what a synchronisation does. `old` is the id of what is changed or replaced."""

    does: str
    kind: str
    name: str
    params: dict[str, Any] = field(default_factory=dict)
    old: str = ""

    def __str__(self) -> str:
        return f"{self.does} {self.kind.removesuffix('s')} {self.name}"


def sync(gateway: StripeGateway, plans: Sequence[Plan] | None = None, *, dry: bool = False) -> list[Change]:
    """Bring Stripe up to `plans`; what was done, or would be done if `dry`. Raises `Problem`, `Unavailable`.

    Interrupted, it is run again. Plans that cost nothing are not sold there.
    """
    sold = [plan for plan in (PLANS.values() if plans is None else plans) if plan.price]
    done: list[Change] = []
    meters = {each["event_name"]: each["id"] for each in gateway.all("meters", status="active")}
    # In this order, since prices name meters and products.
    for change in [*_meters(gateway, sold), *_products(gateway, sold)]:
        made = None if dry else _carry_out(gateway, change)
        if made and change.kind == "meters":
            meters[made["event_name"]] = made["id"]
        done.append(change)
    for change in _prices(gateway, sold, meters):
        if not dry:
            _carry_out(gateway, change)
        done.append(change)
    return done


def _carry_out(gateway: StripeGateway, change: Change) -> Thing:
    if change.does == "create":
        made = gateway.create(change.kind, change.params)
        if change.old:
            gateway.update(change.kind, change.old, {"active": False})
        return made
    return gateway.update(change.kind, change.old, change.params)


def _dimensions(plans: Sequence[Plan]) -> list[Dimension]:
    """Those that some plan charges for."""
    return [dimension for dimension in Dimension if metered(dimension, plans)]


def _meters(gateway: StripeGateway, plans: Sequence[Plan]) -> Iterator[Change]:
    there = {each["event_name"]: each for each in gateway.all("meters", status="active")}
    for dimension in _dimensions(plans):
        name, shown = meter_name(dimension), f"Vitrine: {dimension.measure.unit}"
        found = there.get(name)
        if found is None:
            params = {"display_name": shown, "event_name": name, "default_aggregation": {"formula": "sum"}}
            yield Change("create", "meters", name, params)
        elif found["display_name"] != shown:
            yield Change("update", "meters", name, {"display_name": shown}, found["id"])


def _products(gateway: StripeGateway, plans: Sequence[Plan]) -> Iterator[Change]:
    wanted = {plan_product(plan.code): f"Vitrine {plan.name}" for plan in plans}
    wanted |= {use_product(d): f"{d.value.replace('_', ' ').capitalize()}" for d in _dimensions(plans)}
    there = {each["id"]: each for each in gateway.all("products")}
    for name, shown in wanted.items():
        params = {"name": shown, "tax_code": TAX_CODE, "metadata": {"made_by": PREFIX}}
        found = there.get(name)
        if found is None:
            yield Change("create", "products", name, {"id": name, **params})
        elif (found["name"], found["tax_code"], found["active"]) != (shown, TAX_CODE, True):
            yield Change("update", "products", name, {**params, "active": True}, name)
    for name, found in there.items():
        if name.startswith(f"{PREFIX}_") and name not in wanted and found["active"]:
            yield Change("archive", "products", name, {"active": False}, name)


def _prices(gateway: StripeGateway, plans: Sequence[Plan], meters: dict[str, str]) -> Iterator[Change]:
    wanted = {}
    for plan in plans:
        wanted[lookup_key(plan.code)] = _flat(plan)
        for dimension in Dimension:
            if plan.allowance(dimension).tiers:
                wanted[lookup_key(plan.code, dimension)] = _metered(plan, dimension, meters)
    active = gateway.all("prices", active=True, expand=["data.tiers"])
    there = {each["lookup_key"]: each for each in active if each["lookup_key"]}
    for name, params in wanted.items():
        found = there.get(name)
        if found is None or _shape(found) != _shape(params):
            # Whichever price has the key, an archived one too, gives it away.
            yield Change(
                "create", "prices", name, {**params, "transfer_lookup_key": True}, found["id"] if found else ""
            )
    for each in active:
        key = each["lookup_key"] or ""
        # One of ours without a key was replaced by a run that was interrupted.
        left = str(each["product"]).startswith(f"{PREFIX}_") and not key
        if left or (key.startswith(f"{PREFIX}:") and key not in wanted):
            yield Change("archive", "prices", key or each["id"], {"active": False}, each["id"])


def _flat(plan: Plan) -> dict[str, Any]:
    return {
        "product": plan_product(plan.code),
        "currency": plan.currency,
        "unit_amount_decimal": str(plan.price),
        "recurring": {"interval": "month"},
        "billing_scheme": "per_unit",
        "tax_behavior": "exclusive",
        "lookup_key": lookup_key(plan.code),
    }


def _metered(plan: Plan, dimension: Dimension, meters: dict[str, str]) -> dict[str, Any]:
    return {
        "product": use_product(dimension),
        "currency": plan.currency,
        # A dry run may be asked about a meter that is only to be made.
        "recurring": {"interval": "month", "usage_type": "metered", "meter": meters.get(meter_name(dimension), "?")},
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": tiers(plan.allowance(dimension), dimension),
        "tax_behavior": "exclusive",
        "lookup_key": lookup_key(plan.code, dimension),
    }


def tiers(allowance: Allowance, dimension: Dimension) -> list[dict[str, Any]]:
    """What is included costs nothing; the plan's tiers are of what is beyond it. In Stripe's units.

    Raises `Problem` for a price that Stripe could not hold exactly.
    """
    ratio = per_priced(dimension)
    made: list[dict[str, Any]] = []
    if allowance.included:
        made.append({"up_to": allowance.included * ratio, "unit_amount_decimal": "0"})
    for tier in allowance.tiers:
        price = tier.price / Decimal(ratio)
        if price * ratio != tier.price or -int(price.normalize().as_tuple().exponent) > DECIMALS:
            raise Problem("invalid", f"{tier.price} for {dimension.value} has too many decimals for Stripe.")
        end: int | str = "inf" if tier.up_to is None else (allowance.included + tier.up_to) * ratio
        made.append({"up_to": end, "unit_amount_decimal": f"{price.normalize():f}"})
    if made[-1]["up_to"] != "inf":
        raise Problem("invalid", f"The last tier of {dimension.value} needs up_to=None.")
    return made


def _shape(price: Thing) -> tuple[Any, ...]:
    """What makes two prices the same, of one that Stripe has or of one that is wanted."""
    recurring = price["recurring"]
    steps = [
        (None if tier["up_to"] == "inf" else tier["up_to"], Decimal(str(tier["unit_amount_decimal"])))
        for tier in price.get("tiers") or []
    ]
    amount = price.get("unit_amount_decimal")
    return (
        price["product"],
        price["currency"],
        None if amount is None else Decimal(str(amount)),
        recurring["interval"],
        recurring.get("usage_type", "licensed"),
        recurring.get("meter"),
        price["billing_scheme"],
        price.get("tiers_mode"),
        price["tax_behavior"],
        steps,
    )
