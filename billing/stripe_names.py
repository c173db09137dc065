"""What Vitrine's things are called in Stripe, and in which unit Stripe counts them.

Names are made from plans and dimensions alone, so a synchronisation finds what an earlier one made.
"""

from collections.abc import Iterable

from billing.plans import PLANS, Dimension, Plan

PREFIX = "vitrine"

UNITS = {
    Dimension.STORAGE: 3_600_000_000,
    Dimension.RENDITIONS: 3_600_000_000,
    Dimension.VIDEO_IN: 60,
    Dimension.VIDEO_OUT: 60,
}
"""How many of the ledger's smallest unit make one of Stripe's; 1 where none is told.

Stripe takes values of at most 15 digits and prices of at most 12 decimals of a cent. A terabyte is 3.6e15 byte-seconds
an hour, and costs 1.5e-15 cents each: both are out of reach. Stripe counts storage in megabyte-hours and video in
60 milliseconds, a thousandth of what is priced; everything else as the ledger does.
"""


def unit(dimension: Dimension) -> int:
    return UNITS.get(dimension, 1)


def metered(dimension: Dimension, plans: Iterable[Plan] = PLANS.values()) -> bool:
    """Whether some plan charges for it: others have no meter in Stripe."""
    return any(plan.allowance(dimension).tiers for plan in plans)


def per_priced(dimension: Dimension) -> int:
    """How many of Stripe's units make one that prices are for."""
    whole, rest = divmod(dimension.measure.scale, unit(dimension))
    assert rest == 0
    return whole


def plan_product(code: str) -> str:
    return f"{PREFIX}_plan_{code}"


def use_product(dimension: Dimension) -> str:
    return f"{PREFIX}_use_{dimension.value}"


def plan_of_product(product: str) -> str:
    """The plan's code; empty for another product."""
    begin = f"{PREFIX}_plan_"
    return product.removeprefix(begin) if product.startswith(begin) else ""


def kind_of(product: str) -> str:
    """What a price of the product is for, whichever plan it belongs to: `plan`, or the product of a use."""
    return "plan" if plan_of_product(product) else product


def meter_name(dimension: Dimension) -> str:
    """`event_name` of the meter."""
    return f"{PREFIX}_{dimension.value}"


def lookup_key(code: str, dimension: Dimension | None = None) -> str:
    """Names the price in force, whatever its id: Stripe moves the key when a price is replaced."""
    return f"{PREFIX}:{code}:{dimension.value if dimension else 'base'}"


def rounded(before: int, delta: int, each: int) -> int:
    """What to send for `delta` after `before` was used, so that all that is sent adds up to the whole, rounded once."""
    return _half_up(before + delta, each) - _half_up(before, each)


def _half_up(amount: int, each: int) -> int:
    return (2 * amount + each) // (2 * each)
