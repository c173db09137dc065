"""Editions: one number for all that a tenant's public pages show.

Triggers of the database change it in the transaction that changes anything of that (`infra/migrations/editions.py`), so
a page that was made under a number is right for as long as the number stands. One statement, before a tenant is known,
tells a host's tenant and its number: all that is asked of the database for a page that is kept.
"""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Engine, ForeignKey, Select, String, bindparam, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from infra.sql import reading
from tenants.db import Base
from tenants.domains import Domain, normalise
from tenants.names import ID_LENGTH, is_slug
from tenants.registry import Tenant, TenantState


class Edition(Base):
    """Not tenant-owned: like a host, it is looked up before anybody is known. Nobody but the triggers writes it."""

    __tablename__ = "editions"

    tenant_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True)
class Current:
    tenant_id: str
    number: int


_SERVED = Tenant.state.in_([TenantState.ACTIVE, TenantState.READ_ONLY])
_EDITION: Select[str, int] = (
    select(Edition.tenant_id, Edition.number).join(Tenant, Tenant.id == Edition.tenant_id).where(_SERVED)
)
BY_SLUG = _EDITION.where(Tenant.slug == bindparam("named"))
BY_DOMAIN = _EDITION.join(Domain, Domain.tenant_id == Edition.tenant_id).where(
    Domain.host == bindparam("named"), Domain.verified_at.is_not(None)
)


def current(engine: Engine, host_header: str, base_domain: str) -> Current | None:
    """The edition of the tenant that a request's host names, as `domains.resolve` finds it; None if it finds none."""
    host = normalise(host_header)
    if host is None:
        return None
    label, dot, rest = host.partition(".")
    by_slug = bool(dot) and rest == base_domain and is_slug(label)
    statement, named = (BY_SLUG, label) if by_slug else (BY_DOMAIN, host)
    try:
        return _ask(engine, statement, named)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _ask(engine, statement, named)  # The server restarted: the pool has dropped what it held.


def _ask(engine: Engine, statement: Select[str, int], named: str) -> Current | None:
    with reading(), engine.connect() as connection:
        row = connection.execute(statement, {"named": named}).one_or_none()
    return Current(*row) if row is not None else None
