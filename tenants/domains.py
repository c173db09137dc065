"""Host names to tenants."""

import re
from datetime import datetime

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.db import Base
from tenants.names import is_slug
from tenants.registry import Tenant, TenantState

_HOST = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


class Domain(Base):
    """A custom host name. Only a verified one is served. A host belongs to one tenant at most."""

    __tablename__ = "domains"

    host: Mapped[str] = mapped_column(String(253), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]


def normalise(host_header: str) -> str | None:
    """The host name of a Host header (RFC 9110, 7.2): no port, no trailing dot, lower case; None if malformed."""
    if len(host_header) > 300 or host_header.startswith("["):
        return None
    name, _, port = host_header.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return None
    name = name.lower().removesuffix(".")
    if re.fullmatch(r"[a-z0-9.-]+", name) is None:
        return None
    return name


def resolve(session: Session, host_header: str, base_domain: str) -> Tenant | None:
    """The tenant that a request's host names; None for an unknown, unverified or unserved one."""
    host = normalise(host_header)
    if host is None:
        return None
    label, dot, rest = host.partition(".")
    if dot and rest == base_domain and is_slug(label):
        found = select(Tenant).where(Tenant.slug == label)
    else:
        found = (
            select(Tenant)
            .join(Domain, Domain.tenant_id == Tenant.id)
            .where(Domain.host == host, Domain.verified_at.is_not(None))
        )
    return session.scalar(found.where(Tenant.state.in_([TenantState.ACTIVE, TenantState.READ_ONLY])))


def canonical_host(session: Session, tenant: Tenant, base_domain: str) -> str:
    """The host that links and previews name: the custom domain that was verified first, else the one of the slug."""
    own = select(Domain.host).where(Domain.tenant_id == tenant.id, Domain.verified_at.is_not(None))
    found = session.scalar(own.order_by(Domain.verified_at, Domain.host).limit(1))
    return found or f"{tenant.slug}.{base_domain}"


def add(session: Session, tenant: Tenant, host: str, base_domain: str, *, now: datetime, verified: bool) -> Domain:
    """Claim `host` for the tenant. Raises `Problem` if it is malformed, the operator's own or taken."""
    name = normalise(host)
    if name is None or not _HOST.fullmatch(name):
        raise Problem("invalid", f"{host!r} is not a host name. Write it like photos.example.com.")
    if name == base_domain or name.endswith("." + base_domain):
        raise Problem("invalid", f"Names under {base_domain} come with the tenant's slug and cannot be claimed.")
    if session.get(Domain, name) is not None:
        raise Problem("conflict", f"{name} is already in use.")
    domain = Domain(host=name, tenant_id=tenant.id, created_at=now, verified_at=now if verified else None)
    session.add(domain)
    session.flush()
    return domain
