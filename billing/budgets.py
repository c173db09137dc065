"""A tenant's own budget for a month: what notices are measured by, and what happens once it is reached.

The tenant's row says what is asked for while the budget is reached (`Tenant.over_budget`), so that the fleets that take
uploads and make renditions need not know of bills. `weigh` writes it: when the budget is changed, and each time hours
were closed (`billing/alerts.py`).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, String, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from billing import bills
from infra.errors import Problem
from tenants.db import Base, TenantOwned
from tenants.quota import month_of
from tenants.registry import OnBudget, Tenant
from tenants.scope import Site
from tenants.statements import reached

MONTH = "month"


class Budget(TenantOwned, Base):
    """One a tenant. `amount` is minor units of its plan's currency."""

    __tablename__ = "budgets"

    period: Mapped[str] = mapped_column(String(8), primary_key=True, default=MONTH)
    amount: Mapped[int] = mapped_column(BigInteger)
    reach: Mapped[OnBudget] = mapped_column(
        ChoiceType(OnBudget, impl=String(8)), default=OnBudget.TELL, server_default=OnBudget.TELL.value
    )
    set_at: Mapped[datetime]
    seen_until: Mapped[datetime | None]
    """How far the ledger was closed when the month was last compared with it; None since it was changed."""


@dataclass(frozen=True)
class Wish:
    """What a tenant asks for: `amount` in minor units."""

    amount: int
    reach: OnBudget = OnBudget.TELL


def of(session: Session, tenant_id: str) -> Wish | None:
    found = session.get(Budget, (tenant_id, MONTH))
    return None if found is None else Wish(found.amount, found.reach)


def put(site: Site, wish: Wish | None) -> None:
    """Within the current transaction. Raises `Problem` for one that the plan's own price reaches by itself, if reaching
    it is to have consequences."""
    found = held(site)
    if wish is None:
        if found is not None:
            site.session.delete(found)
    else:
        _refuse_idle(site, wish)
        if found is None:
            found = Budget(tenant_id=site.tenant_id, period=MONTH)
            site.session.add(found)
        found.amount, found.reach, found.set_at, found.seen_until = wish.amount, wish.reach, site.now(), None
    site.session.flush()
    weigh(site, wish)


def held(site: Site) -> Budget | None:
    """The row under its lock: who changes it and who compares with it take turns (PostgreSQL; on SQLite all do)."""
    return site.session.get(Budget, (site.tenant_id, MONTH), with_for_update=True, populate_existing=True)


def weigh(site: Site, wish: Wish | None) -> None:
    """Write into the tenant's row what its budget asks for now, within the current transaction."""
    asked = None
    if wish is not None and wish.reach is not OnBudget.TELL:
        asked = wish.reach if reached(_this_month(site).total, wish.amount) else None
    month = month_of(site.now()) if asked else None
    own = Tenant.id == site.tenant_id
    # An UPDATE that changes nothing would count the tenant's edition on, and its pages be made anew.
    changed = Tenant.over_budget.is_distinct_from(asked) | Tenant.over_budget_month.is_distinct_from(month)
    site.session.execute(update(Tenant).where(own, changed).values(over_budget=asked, over_budget_month=month))


def _refuse_idle(site: Site, wish: Wish) -> None:
    if wish.reach is OnBudget.TELL:
        return
    fixed = sum(line.amount for line in _this_month(site).lines if line.dimension == "plan")
    if reached(fixed, wish.amount):
        raise Problem(
            "invalid",
            "The plan alone costs that much: take a higher budget, or have it only tell you.",
            field="budget",
        )


def _this_month(site: Site) -> bills.Bill:
    now = site.now()
    return bills.bill(site.session, site.tenant_id, *bills.month(now.year, now.month))
