"""SELECTs of one tenant's rows that are put together once and run past the ORM.

A page for everybody reads hundreds of rows as values. To build such a statement, to find its text in a cache and to
unpack its rows costs SQLAlchemy more than the database does, so here the text is made once for each kind of database.
The guard of `tenants/db.py` holds: the session must serve a tenant, whose id goes to `TENANT` in the statement.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import BindParameter, Dialect, Select, bindparam
from sqlalchemy.orm import Session

from tenants.db import ScopeMissing, bound_tenant

TENANT: BindParameter[str] = bindparam("tenant", "")
"""Stands for the session's tenant; every table that the statement reads is to be held to it."""

Value = str | int | datetime


def moment(given: str | datetime) -> datetime:
    """A time from a row: SQLite's driver leaves it as it is stored, in UTC and without saying so."""
    if isinstance(given, str):
        return datetime.fromisoformat(given).replace(tzinfo=UTC)
    return given.astimezone(UTC)


class Prepared:
    """`select` has `TENANT` in its criteria, and other values of a run as `bindparam(name, <a sample>)`.

    No column type converts what goes in or comes out: truth values may be numbers, enumerations are strings, and times
    go through `moment`. Rows that the session has not flushed are not found.
    """

    def __init__(self, select: Select[*tuple[Any, ...]]) -> None:
        self._select = select
        self._made: dict[str, tuple[str, dict[str, Any], Sequence[str] | None]] = {}

    def rows(self, session: Session, **values: Value) -> Sequence[Sequence[Any]]:
        """Raises `ScopeMissing` if the session serves no tenant."""
        tenant_id = bound_tenant(session)
        if tenant_id is None:
            raise ScopeMissing("no tenant in scope for a prepared statement")
        connection = session.connection()
        text, given, order = self._made.get(connection.dialect.name) or self._make(connection.dialect)
        given = {**given, **values, TENANT.key: tenant_id}
        if order is None:
            return connection.exec_driver_sql(text, given).fetchall()
        return connection.exec_driver_sql(text, tuple(_stored(given[name]) for name in order)).fetchall()

    def _make(self, dialect: Dialect) -> tuple[str, dict[str, Any], Sequence[str] | None]:
        compiled = self._select.compile(dialect=dialect)
        samples: dict[str, Any] = dict(compiled.params)
        if TENANT.key not in samples:
            raise ValueError("the statement does not ask whose rows it reads")
        made = compiled.construct_expanded_state(samples)
        constants = {name: each.value if isinstance(each, Enum) else each for name, each in made.parameters.items()}
        self._made[dialect.name] = whole = (made.statement, constants, made.positiontup)
        return whole


def _stored(value: Value) -> str | int:
    """As SQLAlchemy stores it in SQLite."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
