"""Host names to tenants."""

import re
from dataclasses import dataclass
from datetime import datetime

import idna
from sqlalchemy import BindParameter, ForeignKey, Select, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.db import Base
from tenants.names import is_slug
from tenants.registry import Tenant, TenantState

_HOST = re.compile(r"(?=.{4,242}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
# 253 is the most that DNS has room for; the name of the proof is 11 longer than the host's.


class Domain(Base):
    """A custom host name that is served: a tenant has proven that it is theirs (`tenants/claims.py`).

    A host belongs to one tenant at most, whoever else claims it.
    """

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


SERVED = (TenantState.ACTIVE, TenantState.READ_ONLY, TenantState.DELETED)
"""Tenants in other states have no pages. One that is to be erased has them for its members, who may undo it."""


@dataclass(frozen=True)
class Named:
    """What a Host header names: the slug of a sub-domain, or a domain of a tenant's own."""

    name: str
    is_slug: bool


def named(host_header: str, base_domain: str) -> Named | None:
    """None for a malformed header."""
    host = normalise(host_header)
    if host is None:
        return None
    label, dot, rest = host.partition(".")
    return Named(label, True) if dot and rest == base_domain and is_slug(label) else Named(host, False)


def resolve(
    session: Session, host_header: str, base_domain: str, states: tuple[TenantState, ...] = SERVED
) -> Tenant | None:
    """The tenant that a request's host names; None for an unknown or unverified one, or one in no such state."""
    asked = named(host_header, base_domain)
    if asked is None:
        return None
    if asked.is_slug:
        found = select(Tenant).where(Tenant.slug == asked.name)
    else:
        found = (
            select(Tenant)
            .join(Domain, Domain.tenant_id == Tenant.id)
            .where(Domain.host == asked.name, Domain.verified_at.is_not(None))
        )
    return session.scalar(found.where(Tenant.state.in_(states)))


def canonical_host(session: Session, tenant: Tenant, base_domain: str) -> str:
    """The host that links and previews name: the tenant's first domain, else the one that was verified first, else the
    sub-domain."""
    own = None if tenant.primary_host else session.scalar(first_own(tenant.id))
    return known_by(tenant, own, base_domain)


def first_own(tenant_id: str | BindParameter[str]) -> Select[str]:
    """The domain of the tenant's own that was verified first."""
    own = select(Domain.host).where(Domain.tenant_id == tenant_id, Domain.verified_at.is_not(None))
    return own.order_by(Domain.verified_at, Domain.host).limit(1)


def known_by(tenant: Tenant, own: str | None, base_domain: str) -> str:
    """`canonical_host`, for whoever has `first_own` already."""
    return tenant.primary_host or own or f"{tenant.slug}.{base_domain}"


def host_name(text: str, base_domain: str) -> str:
    """A host as a tenant writes it, in the form that DNS and Host headers use: ASCII, lower case (UTS 46, IDNA 2008).

    Raises `Problem` for what is no host name, and for the operator's own names.
    """
    written = text.strip().removeprefix("https://").removeprefix("http://").rstrip("/.")
    try:
        name = idna.encode(written, uts46=True, std3_rules=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        name = ""
    if not _HOST.fullmatch(name) or name.rpartition(".")[2].isdigit():
        raise Problem(
            "invalid",
            "“%(host)s” is not a host name. Write it like photos.example.com.",
            values={"host": text.strip()},
            field="host",
        )
    if name == base_domain or name.endswith("." + base_domain):
        raise Problem(
            "invalid",
            "Names under %(domain)s come with the site and cannot be claimed.",
            values={"domain": base_domain},
            field="host",
        )
    return name


def shown(host: str) -> str:
    """The host as its owner reads it: `xn--mnchen-3ya.example` is `münchen.example`."""
    try:
        return idna.decode(host)
    except (idna.IDNAError, UnicodeError):
        return host
