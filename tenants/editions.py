"""Editions: one number for all that a tenant's public pages show.

Triggers of the database change it in the transaction that changes anything of that (`infra/migrations/editions.py`), so
a page that was made under a number is right for as long as the number stands. One statement, before a tenant is known,
tells a host's tenant and its number: all that is asked of the database for a page that is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Engine, ForeignKey, PoolProxiedConnection, String
from sqlalchemy.orm import Mapped, mapped_column

from infra import sql
from infra.message import answers, driver
from tenants.db import Base
from tenants.domains import SERVED, named
from tenants.names import ID_LENGTH


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


_SERVED = ", ".join(f"'{state.value}'" for state in SERVED)
_FROM = "SELECT e.tenant_id, e.number FROM editions e JOIN tenants t ON t.id = e.tenant_id"
BY_SLUG = f"{_FROM} WHERE t.slug = {{0}} AND t.state IN ({_SERVED})"
BY_DOMAIN = (
    f"{_FROM} JOIN domains d ON d.tenant_id = t.id WHERE d.host = {{0}} AND d.verified_at IS NOT NULL"
    f" AND t.state IN ({_SERVED})"
)


def current(engine: Engine, host_header: str, base_domain: str) -> Current | None:
    """The edition of the tenant that a request's host names, as `domains.resolve` finds it; None if it finds none."""
    asked = named(host_header, base_domain)
    if asked is None:
        return None
    statement = BY_SLUG if asked.is_slug else BY_DOMAIN
    ask = _ask_sqlite if engine.dialect.name == "sqlite" else _ask_postgres
    row = sql.asked(engine, partial(ask, statement, asked.name))
    return Current(*row) if row is not None else None


def _ask_sqlite(statement: str, name: str, connection: PoolProxiedConnection) -> Sequence[Any] | None:
    cursor = connection.cursor()
    cursor.execute(statement.format("?"), (name,))
    row: Sequence[Any] | None = cursor.fetchone()
    cursor.close()
    return row


def _ask_postgres(statement: str, name: str, connection: PoolProxiedConnection) -> Sequence[Any] | None:
    text, given = statement.format("$1").encode(), [name.encode()]
    (rows,) = answers(driver(connection), lambda connection: connection.send_query_params(text, given))
    return rows[0] if rows else None
