"""All tenants as the operator looks at them: a page of them by name or host, with how they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from tenants.abuse import AbuseReport, ReportState
from tenants.catalog import UNFINISHED, Asset, AssetState
from tenants.claims import DomainClaim, DomainState
from tenants.db import across_tenants
from tenants.domains import Domain
from tenants.people import Member
from tenants.registry import Tenant, TenantState


@dataclass(frozen=True)
class Health:
    """`stored` is bytes of originals; the others are numbers of things."""

    assets: int = 0
    stored: int = 0
    failed: int = 0
    unfinished: int = 0
    broken_domains: int = 0
    open_reports: int = 0
    members: int = 0
    last_sign_in: datetime | None = None

    @property
    def troubles(self) -> bool:
        return bool(self.failed or self.broken_domains or self.open_reports)


@dataclass(frozen=True)
class Entry:
    """`tenant` is detached from the session."""

    tenant: Tenant
    hosts: tuple[str, ...] = ()
    health: Health = field(default_factory=Health)


@dataclass(frozen=True)
class Found:
    entries: tuple[Entry, ...]
    count: int
    next_after: str
    """The slug to go on after; empty at the end."""


def find(session: Session, query: str, state: TenantState | None, *, after: str, limit: int) -> Found:
    """By slug. `query` is part of a slug, a name, a host or a member's address."""
    with across_tenants(session, "the operator's list of tenants"):
        wanted = [*_matching(query), *([Tenant.state == state] if state else [])]
        count = session.scalar(select(func.count()).select_from(Tenant).where(*wanted)) or 0
        page = select(Tenant).where(*wanted, Tenant.slug > after).order_by(Tenant.slug).limit(limit + 1)
        tenants = session.scalars(page).all()
        entries = _entries(session, tenants[:limit])
    more = len(tenants) > limit
    return Found(tuple(entries), count, tenants[limit - 1].slug if more else "")


def one(session: Session, tenant_id: str) -> Entry | None:
    with across_tenants(session, "a tenant on the operator's page"):
        tenant = session.get(Tenant, tenant_id)
        return _entries(session, [tenant])[0] if tenant is not None else None


def _matching(query: str) -> list[ColumnElement[bool]]:
    text = query.strip()
    if not text:
        return []
    domain = select(Domain.host).where(Domain.tenant_id == Tenant.id, Domain.host.icontains(text, autoescape=True))
    member = select(Member.id).where(Member.tenant_id == Tenant.id, Member.email.icontains(text, autoescape=True))
    return [
        or_(
            Tenant.slug.icontains(text, autoescape=True),
            Tenant.name.icontains(text, autoescape=True),
            Tenant.id == text,
            domain.exists(),
            member.exists(),
        )
    ]


def _entries(session: Session, tenants: Sequence[Tenant]) -> list[Entry]:
    """In a number of statements that does not depend on how many they are."""
    ids = [tenant.id for tenant in tenants]
    assets = _grouped(
        session,
        Asset.tenant_id,
        ids,
        func.count(),
        func.coalesce(func.sum(Asset.size), 0),
        func.count().filter(Asset.state == AssetState.FAILED, Asset.deleted_at.is_(None)),
        func.count().filter(UNFINISHED, Asset.deleted_at.is_(None)),
    )
    broken = _grouped(session, DomainClaim.tenant_id, ids, func.count().filter(DomainClaim.state == DomainState.FAILED))
    reports = _grouped(session, AbuseReport.tenant_id, ids, func.count().filter(AbuseReport.state == ReportState.OPEN))
    members = _grouped(session, Member.tenant_id, ids, func.count(), func.max(Member.signed_in_at))
    hosts: dict[str, list[str]] = {}
    verified = select(Domain.tenant_id, Domain.host).where(Domain.tenant_id.in_(ids), Domain.verified_at.is_not(None))
    for tenant_id, host in session.execute(verified.order_by(Domain.host)):
        hosts.setdefault(tenant_id, []).append(host)
    return [
        Entry(
            tenant,
            tuple(hosts.get(tenant.id, ())),
            Health(
                *assets.get(tenant.id, (0, 0, 0, 0)),
                *broken.get(tenant.id, (0,)),
                *reports.get(tenant.id, (0,)),
                *members.get(tenant.id, (0, None)),
            ),
        )
        for tenant in tenants
    ]


def _grouped(session: Session, owner: Any, ids: Sequence[str], *counts: Any) -> dict[str, tuple[Any, ...]]:
    rows = session.execute(select(owner, *counts).where(owner.in_(ids)).group_by(owner))
    return {row[0]: tuple(row[1:]) for row in rows}


def broken_domains(session: Session, limit: int) -> list[tuple[DomainClaim, Tenant]]:
    """Claims of every tenant that failed or wait for their owner, those that were looked at last first."""
    with across_tenants(session, "domains that do not work"):
        rows = session.execute(
            select(DomainClaim, Tenant)
            .join(Tenant, Tenant.id == DomainClaim.tenant_id)
            .where(or_(DomainClaim.state == DomainState.FAILED, DomainClaim.missing_since.is_not(None)))
            .order_by(DomainClaim.checked_at.desc(), DomainClaim.host)
            .limit(limit)
        ).all()
    return [(row[0], row[1]) for row in rows]
