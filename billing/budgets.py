"""A tenant's own budget for a month. It stops nothing: it is what notices are measured by."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.db import Base, TenantOwned
from tenants.scope import Site

MONTH = "month"


class Budget(TenantOwned, Base):
    """One a tenant. `amount` is minor units of its plan's currency."""

    __tablename__ = "budgets"

    period: Mapped[str] = mapped_column(String(8), primary_key=True, default=MONTH)
    amount: Mapped[int] = mapped_column(BigInteger)
    set_at: Mapped[datetime]


def of(session: Session, tenant_id: str) -> int | None:
    found = session.get(Budget, (tenant_id, MONTH))
    return None if found is None else found.amount


def put(site: Site, amount: int | None) -> None:
    """Within the current transaction."""
    found = site.session.get(Budget, (site.tenant_id, MONTH))
    if amount is None:
        if found is not None:
            site.session.delete(found)
    elif found is None:
        site.session.add(Budget(tenant_id=site.tenant_id, period=MONTH, amount=amount, set_at=site.now()))
    else:
        found.amount, found.set_at = amount, site.now()
    site.session.flush()
