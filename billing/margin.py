"""What each tenant brings in and costs in a month: those that lose money come first.

Of a month that still runs both sides are told as far as it has come: the plan's price by the time that has passed,
what is beyond its allowances as it stands. Revenue is what the ledger and the plans say, before coupons and taxes.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from billing import costs
from billing.bills import bill, month, quantities, rounded
from billing.plans import GB, Dimension
from billing.terms import plan_at
from infra.cost.prices import Book
from infra.errors import Problem
from tenants.db import across_tenants
from tenants.margins import Margin, Margins, Use
from tenants.registry import Tenant


class FromLedger:
    """The `Accountant` of this deployment. `prices`: another file than the one that comes with the code."""

    def __init__(self, prices: Path | None) -> None:
        self._prices = prices

    def margins(
        self, session: Session, year: int, number: int, now: datetime, *, only: Collection[str] | None = None
    ) -> Margins:
        return of_month(session, costs.load(self._prices), year, number, now, only=only)


def of_month(
    session: Session,
    prices: Book,
    year: int,
    number: int,
    now: datetime,
    *,
    only: Collection[str] | None = None,
) -> Margins:
    """Raises `Problem` if a tenant (one of `only`, if given) pays in another currency than the prices are in."""
    start, end = month(year, number)
    until = min(max(now, start), end)
    asked = Tenant.id.in_(only) if only is not None else true()
    with across_tenants(session, "the operator's margins"):
        tenants = session.execute(
            select(Tenant.id, Tenant.slug, Tenant.name, Tenant.created_at).where(Tenant.created_at < end, asked)
        ).all()
        found = []
        for tenant_id, slug, name, created in tenants:
            used = quantities(session, tenant_id, start, until)
            found.append(
                Margin(
                    slug=slug,
                    name=name,
                    plan=plan_at(session, tenant_id, max(until, created)).name,
                    revenue=_revenue(session, tenant_id, prices.currency, (start, until, end)),
                    costs=costs.estimate(prices, used),
                    use=_use(used, int((until - start).total_seconds())),
                )
            )
    found.sort(key=lambda each: (each.amount, each.slug))
    return Margins(prices.currency, start, end, until, tuple(found))


def _revenue(session: Session, tenant_id: str, currency: str, times: tuple[datetime, datetime, datetime]) -> int:
    """Of a line for the plan itself the part that has passed; of one for use all that is on it."""
    start, until, end = times
    made = bill(session, tenant_id, start, end)
    if made.currency != currency:
        raise Problem("conflict", f"Prices are in {currency} and a plan in {made.currency}: convert the price file.")
    total = Fraction(0)
    for line in made.lines:
        if line.dimension != "plan":
            total += line.amount
            continue
        first, last = datetime.fromisoformat(line.start), datetime.fromisoformat(line.end)
        passed = max(min(until, last) - first, timedelta(0))
        total += Fraction(line.amount) * Fraction(int(passed.total_seconds()), int((last - first).total_seconds()))
    return rounded(total)


def _use(used: dict[Dimension, int], seconds: int) -> Use:
    return Use(
        stored_gb=used.get(Dimension.STORAGE, 0) / GB / max(seconds, 1),
        delivered_gb=used.get(Dimension.DELIVERED, 0) / GB,
        photos=used.get(Dimension.PHOTOS, 0),
        video_minutes=used.get(Dimension.VIDEO_OUT, 0) / Dimension.VIDEO_OUT.measure.scale,
    )
