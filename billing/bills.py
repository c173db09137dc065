"""What a tenant owes for a period: the ledger's quantities under the plans that were in force, exactly.

A period with a change of plan is cut there. Each part has its share of the month's price and allowances, by hours; its
lines are rounded once, half up, to the minor unit. The same rows give the same bill whenever it is asked for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.ledger import WINDOW, LedgerRow
from billing.plans import Dimension, Plan
from billing.terms import Segment, segments


@dataclass(frozen=True)
class Line:
    """One line. `dimension` is a `Dimension`'s value, `plan` for the plan's own price, or `correction` for what an
    earlier invoice (`plan` has its number) would have had more or less of, had it known what came late.

    `quantity` is in the dimension's smallest unit, `included` and `over` in its unit as exact fractions (`"73/2"`);
    `amount` is minor units.
    """

    dimension: str
    plan: str
    start: str
    end: str
    quantity: int
    included: str
    over: str
    amount: int


@dataclass(frozen=True)
class AsOf:
    """What was known: the newest ledger row's number, and the time until which plans were decided."""

    row: int
    decided: datetime


@dataclass(frozen=True)
class Bill:
    """`total` is the sum of the lines, in minor units of `currency`, before tax and coupons."""

    tenant_id: str
    start: datetime
    end: datetime
    currency: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    def document(self) -> list[dict[str, Any]]:
        """The lines as they are kept with an invoice."""
        return [asdict(line) for line in self.lines]


def month(year: int, number: int) -> tuple[datetime, datetime]:
    """A calendar month in UTC: [start, end)."""
    start = datetime(year, number, 1, tzinfo=UTC)
    return start, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def quantities(
    session: Session, tenant_id: str, start: datetime, end: datetime, as_of: AsOf | None = None
) -> dict[Dimension, int]:
    """What the ledger has (or had) in the windows of [start, end), all revisions together, in smallest units."""
    statement = (
        select(LedgerRow.meter, func.sum(LedgerRow.delta))
        .where(LedgerRow.tenant_id == tenant_id, LedgerRow.window >= start, LedgerRow.window < end)
        .group_by(LedgerRow.meter)
    )
    if as_of is not None:
        statement = statement.where(LedgerRow.number <= as_of.row)
    known = {dimension.value: dimension for dimension in Dimension}
    return {known[name]: int(total) for name, total in session.execute(statement) if name in known}


def bill(session: Session, tenant_id: str, start: datetime, end: datetime, as_of: AsOf | None = None) -> Bill:
    """The bill as of now, or as it was; with windows still open it is a preview. The period's ends lie on hours."""
    lines: list[Line] = []
    parts = segments(session, tenant_id, start, end, decided=as_of.decided if as_of else None)
    for part in parts:
        share = _share(part)
        lines.append(_price(part, share))
        lines += _lines(part, share, quantities(session, tenant_id, part.start, part.end, as_of))
    return Bill(tenant_id, start, end, parts[-1].plan.currency, tuple(lines))


def forecast(session: Session, tenant_id: str, start: datetime, end: datetime, closed_until: datetime) -> int:
    """The bill's total if use goes on at the pace of the period so far: minor units.

    Storage is a flow of byte-seconds like any other: what is there goes on being there.
    """
    closed = min(max(closed_until, start), end)
    passed = Fraction(int((closed - start).total_seconds()), int((end - start).total_seconds()))
    if passed == 0:
        return bill(session, tenant_id, start, end).total
    part = segments(session, tenant_id, start, end)[-1]
    whole = Segment(part.plan, start, end)
    used = {name: int(total / passed) for name, total in quantities(session, tenant_id, start, closed).items()}
    return _price(whole, _share(whole)).amount + sum(line.amount for line in _lines(whole, _share(whole), used))


def price_of(plan: Plan, used: Mapping[Dimension, int], more: Mapping[Dimension, int]) -> int:
    """What `more` would add to a month in which `used` was used, in minor units: the price before one acts.

    Both are in smallest units.
    """
    total = Fraction(0)
    for dimension, quantity in more.items():
        before = used.get(dimension, 0)
        total += _cost(plan, dimension, before + quantity, Fraction(1)) - _cost(plan, dimension, before, Fraction(1))
    return rounded(total)


def rounded(amount: Fraction) -> int:
    """Half up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def _share(part: Segment) -> Fraction:
    """Of the calendar month that the part begins in; a part over several months counts each by its own length."""
    share, at = Fraction(0), part.start
    while at < part.end:
        first, following = month(at.year, at.month)
        until = min(following, part.end)
        share += Fraction((until - at) // WINDOW, (following - first) // WINDOW)
        at = until
    return share


def _price(part: Segment, share: Fraction) -> Line:
    amount = rounded(part.plan.price * share)
    return Line("plan", part.plan.code, part.start.isoformat(), part.end.isoformat(), 1, "0", str(share), amount)


def _lines(part: Segment, share: Fraction, used: Mapping[Dimension, int]) -> list[Line]:
    lines = []
    for dimension in Dimension:
        quantity = used.get(dimension, 0)
        if quantity:
            included = part.plan.allowance(dimension).included * share
            over = _over(part.plan, dimension, quantity, share)
            amount = rounded(_cost(part.plan, dimension, quantity, share))
            span = (part.start.isoformat(), part.end.isoformat())
            lines.append(Line(dimension.value, part.plan.code, *span, quantity, str(included), str(over), amount))
    return lines


def _over(plan: Plan, dimension: Dimension, quantity: int, share: Fraction) -> Fraction:
    included = plan.allowance(dimension).included * share
    return max(Fraction(quantity, dimension.measure.scale) - included, Fraction(0))


def _cost(plan: Plan, dimension: Dimension, quantity: int, share: Fraction) -> Fraction:
    """Tiers are cut by the share as the allowance is: half a month fills a tier half as high."""
    if share == 0:
        return Fraction(0)
    return plan.allowance(dimension).cost(_over(plan, dimension, quantity, share) / share) * share
