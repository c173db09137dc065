"""Which plan a tenant is on, and since when: append-only, so that an old bill can be rebuilt under its old plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Index, Select, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.ledger import hour_of
from billing.plans import DEFAULT, PLANS, Plan
from infra.errors import Problem
from tenants import quota
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id
from tenants.scope import Site


class PlanTerm(TenantOwned, Base):
    """From `since` on (the start of an hour) the tenant is on `plan`. Of two terms for one hour the newer one holds."""

    __tablename__ = "plan_terms"
    __table_args__ = (Index("ix_plan_terms_since", "tenant_id", "since", "id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    plan: Mapped[str] = mapped_column(String(32))
    since: Mapped[datetime]
    decided_at: Mapped[datetime]


@dataclass(frozen=True)
class Segment:
    """A part of a period that is on one plan: [start, end)."""

    plan: Plan
    start: datetime
    end: datetime


def assign(site: Site, code: str, *, since: datetime | None = None) -> Plan:
    """Put the tenant on a plan and write its limits (`tenants/quota.py`), within the current transaction.

    `since` is rounded down to its hour; now by default. Raises `Problem` for a plan that does not exist.
    """
    plan = PLANS.get(code)
    if plan is None:
        raise Problem("invalid", f"There is no plan {code!r}: take one of {', '.join(PLANS)}.")
    now = site.now()
    term = PlanTerm(tenant_id=site.tenant_id, id=new_id(), plan=code, since=hour_of(since or now), decided_at=now)
    site.session.add(term)
    site.session.flush()
    in_force = plan_at(site.session, site.tenant_id, now)
    quota.set_limits(
        site,
        storage=in_force.max_storage_bytes,
        upload=in_force.max_upload_bytes,
        photos=in_force.max_photos_month,
    )
    return plan


def plan_at(session: Session, tenant_id: str, at: datetime, *, decided: datetime | None = None) -> Plan:
    """The plan in force; `DEFAULT` before any was assigned. `decided`: as it was known then."""
    return _plan(session.scalar(_terms(tenant_id, decided).where(PlanTerm.since <= at).limit(1)))


def segments(
    session: Session, tenant_id: str, start: datetime, end: datetime, *, decided: datetime | None = None
) -> list[Segment]:
    """The period cut at each change of plan, in order and without gaps. `decided`: as it was known then."""
    inside = session.scalars(_terms(tenant_id, decided).where(PlanTerm.since > start, PlanTerm.since < end)).all()
    changes = [(start, plan_at(session, tenant_id, start, decided=decided))]
    for term in reversed(inside):  # Oldest first; of those for one hour the newest comes last and holds.
        if term.since == changes[-1][0]:
            changes.pop()
        changes.append((term.since, _plan(term)))
    return _joined(changes, end)


def _joined(changes: Sequence[tuple[datetime, Plan]], end: datetime) -> list[Segment]:
    found: list[Segment] = []
    for number, (at, plan) in enumerate(changes):
        until = changes[number + 1][0] if number + 1 < len(changes) else end
        if found and found[-1].plan == plan:
            found[-1] = Segment(plan, found[-1].start, until)
        else:
            found.append(Segment(plan, at, until))
    return found


def _terms(tenant_id: str, decided: datetime | None) -> Select[Any]:
    """The newest first."""
    wanted = select(PlanTerm).where(PlanTerm.tenant_id == tenant_id)
    if decided is not None:
        wanted = wanted.where(PlanTerm.decided_at <= decided)
    return wanted.order_by(PlanTerm.since.desc(), PlanTerm.id.desc())


def _plan(term: PlanTerm | None) -> Plan:
    return DEFAULT if term is None else PLANS[term.plan]
