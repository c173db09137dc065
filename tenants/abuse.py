"""Reports of visitors that something on a tenant's pages should not be there. They are the operator's to judge."""

import enum
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, String, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from tenants.catalog import Album, Asset
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id
from tenants.registry import Tenant
from tenants.scope import Site


class Reason(enum.Enum):
    COPYRIGHT = "copyright"
    CONSENT = "consent"
    """A picture of the reporter that was published without asking."""
    CHILD = "child"
    HATE = "hate"
    OTHER = "other"


class ReportState(enum.Enum):
    OPEN = "open"
    TAKEN_DOWN = "taken_down"
    DISMISSED = "dismissed"


class AbuseReport(TenantOwned, Base):
    """Members do not see it: who reports is not told to who was reported."""

    __tablename__ = "abuse_reports"
    __table_args__ = (Index("ix_abuse_reports_state", "state", "id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album: Mapped[str] = mapped_column(String(ID_LENGTH))
    """Ids without keys: what was reported may be deleted, and the report stays."""
    asset: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    url: Mapped[str] = mapped_column(String(500))
    reason: Mapped[Reason] = mapped_column(ChoiceType(Reason, impl=String(16)))
    text: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(String(254))
    """Where to answer; empty if the reporter does not want one."""
    state: Mapped[ReportState] = mapped_column(ChoiceType(ReportState, impl=String(12)), default=ReportState.OPEN)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str] = mapped_column(String(80), default="")


def report(site: Site, album: Album, asset: Asset | None, url: str, reason: Reason, text: str, email: str) -> None:
    """Commits, and counts it in the metric `abuse.reports`, for an alarm.

    In that order: on SQLite metrics are written by a connection of their own, which would wait for this transaction.
    """
    site.session.add(
        AbuseReport(
            tenant_id=site.tenant_id,
            id=new_id(),
            album=album.id,
            asset=asset.id if asset else None,
            url=url[:500],
            reason=reason,
            text=text[:5000],
            email=email[:254],
            created_at=site.now(),
        )
    )
    site.session.commit()
    site.metrics.put("abuse.reports", 1)


def listed(session: Session, *, open_only: bool, limit: int) -> Sequence[tuple[AbuseReport, Tenant]]:
    """Of every tenant: the open ones oldest first, or all newest first. The caller works across tenants."""
    wanted = select(AbuseReport, Tenant).join(Tenant, Tenant.id == AbuseReport.tenant_id).limit(limit)
    if open_only:
        wanted = wanted.where(AbuseReport.state == ReportState.OPEN).order_by(AbuseReport.id)
    else:
        wanted = wanted.order_by(AbuseReport.id.desc())
    return [(row[0], row[1]) for row in session.execute(wanted)]


def waiting(session: Session) -> int:
    """The caller works across tenants."""
    open_ones = select(func.count()).select_from(AbuseReport).where(AbuseReport.state == ReportState.OPEN)
    return session.scalar(open_ones) or 0


def close(found: AbuseReport, state: ReportState, who: str, now: datetime) -> None:
    found.state, found.closed_by, found.closed_at = state, who[:80], now
