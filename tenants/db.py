"""The session and its guards.

A session works for one tenant (`tenants.scope` sets it) or says aloud that it works across tenants. Three guards stand
behind every handler's own care: reads of tenant-owned classes get the tenant's criterion or are refused without a
scope; a flush refuses rows of another tenant; composite keys on `(tenant_id, id)` refuse references across tenants.

On PostgreSQL row-level security is the fourth, and the only one that also holds for Core statements and `text()`: each
transaction is told whom it serves (`_announce`), and the policies of `infra/migrations/row_security.py` show it nothing
else. A transaction that was told nothing sees no tenant's rows at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    ClauseElement,
    Connection,
    Executable,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    String,
    Table,
    event,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    SessionTransaction,
    UOWTransaction,
    mapped_column,
    registry,
    with_loader_criteria,
)
from sqlalchemy.sql import visitors

from infra import sql
from infra.settings import Settings
from infra.sql import UtcDateTime
from tenants.names import ID_LENGTH

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table's class. A registry of its own, since Flask-SQLAlchemy copies this body into its Model class."""

    registry = registry(metadata=MetaData(naming_convention=NAMING), type_annotation_map={datetime: UtcDateTime})


db = SQLAlchemy(model_class=Base, disable_autonaming=True)
migrate = Migrate(directory="infra/migrations")


class TenantOwned:
    """Mixin of every table that holds a tenant's rows; the primary key is `(tenant_id, …)`, in that order."""

    tenant_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True, sort_order=-1
    )


def belongs_to(table: str, column: str, *, ondelete: str = "CASCADE", name: str | None = None) -> ForeignKeyConstraint:
    """A reference that cannot leave the tenant: `(tenant_id, column)` to `table(tenant_id, id)`."""
    return ForeignKeyConstraint(
        ["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete=ondelete, name=name
    )


class ScopeMissing(RuntimeError):
    """Tenant-owned rows were touched by a session that serves no tenant."""


class ForeignTenant(RuntimeError):
    """A row of one tenant was about to be written by a session that serves another."""


@dataclass(frozen=True)
class _Scope:
    """Whom a session serves: one tenant, or everyone for a reason."""

    tenant_id: str = ""
    across: str = ""


# Keys of `Session.info`.
_SCOPE = "scope"
_CONNECTION = "connection"


def bind_tenant(session: Session, tenant_id: str) -> None:
    """Make the session serve one tenant. Objects loaded for another are dropped from its identity map."""
    if bound_tenant(session) != tenant_id:
        session.expunge_all()
    _serve(session, _Scope(tenant_id=tenant_id))


@contextmanager
def across_tenants(session: Session, reason: str) -> Iterator[Session]:
    """Code of the operator, the relay and the sweep. `reason` is for the reader and the logs."""
    with scope_kept(session):
        _serve(session, _Scope(across=reason))
        yield session


@contextmanager
def scope_kept(session: Session) -> Iterator[None]:
    """Afterwards the session serves whom it served before, and holds no object that it loaded inside."""
    before = session.info.get(_SCOPE)
    try:
        yield
    finally:
        session.expunge_all()
        _serve(session, before)


def bound_tenant(session: Session) -> str | None:
    scope = _scope(session)
    return scope.tenant_id or None if scope else None


def _scope(session: Session) -> _Scope | None:
    scope: _Scope | None = session.info.get(_SCOPE)
    return scope


def _works_across(session: Session) -> bool:
    scope = _scope(session)
    return scope is not None and bool(scope.across)


def _serve(session: Session, scope: _Scope | None) -> None:
    changed = session.info.get(_SCOPE) != scope
    session.info[_SCOPE] = scope
    connection: Connection | None = session.info.get(_CONNECTION)
    if changed and connection is not None:
        # It fails only in a transaction that PostgreSQL has aborted or lost: nothing can run in that one any more, and
        # the next is told anew.
        with suppress(SQLAlchemyError):
            _announce(connection, scope or _Scope())


# --- What PostgreSQL is told ------------------------------------------------------------------------------------------

_ANNOUNCE = text("SELECT set_config('vitrine.tenant', :tenant, true), set_config('vitrine.across', :across, true)")


def _announce(connection: Connection, scope: _Scope) -> None:
    """SET LOCAL: it ends with the transaction, so a pooled connection carries no tenant to its next user."""
    connection.execute(_ANNOUNCE, {"tenant": scope.tenant_id, "across": "on" if scope.across else ""})


@event.listens_for(Session, "after_begin")
def _begin(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    session.info[_CONNECTION] = connection
    scope = _scope(session)
    if scope is not None:
        _announce(connection, scope)


@event.listens_for(Session, "after_transaction_end")
def _end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_CONNECTION, None)


# --- What the ORM is told ---------------------------------------------------------------------------------------------


@event.listens_for(Session, "do_orm_execute")
def _scope_statements(state: ORMExecuteState) -> None:
    if _works_across(state.session) or state.is_column_load:
        return
    owned = {mapper.class_.__name__ for mapper in state.all_mappers if issubclass(mapper.class_, TenantOwned)}
    owned = owned or _owned_tables(state.statement)
    if not owned:
        return
    tenant_id = bound_tenant(state.session)
    if tenant_id is None:
        raise ScopeMissing(f"no tenant in scope for {', '.join(sorted(owned))}")
    state.statement = state.statement.options(
        with_loader_criteria(TenantOwned, lambda cls: cls.tenant_id == tenant_id, include_aliases=True)
    )


def _owned_tables(statement: Executable) -> set[str]:
    """Tenant-owned tables that a statement reads without selecting their classes.

    Such are `select(func.count()).where(Asset.fence > 0)`, an `exists()`, or a join of `Tenant` with `Asset`: the ORM
    lists no mapper of theirs, yet applies the criterion where it has one. Not to a bare `Table`, which knows no class.
    """
    tables = (each for each in visitors.iterate(cast(ClauseElement, statement)) if isinstance(each, Table))
    return {table.name for table in tables if "tenant_id" in table.primary_key.columns}


@event.listens_for(Session, "before_flush")
def _guard_flush(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    if _works_across(session):
        return
    tenant_id = bound_tenant(session)
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, TenantOwned) and row.tenant_id != tenant_id:
            raise ForeignTenant(f"{type(row).__name__} of {row.tenant_id} in a session of {tenant_id}")


def init_app(app: Flask, settings: Settings) -> None:
    """Give the app its engine, session and migrations."""
    url = settings.database_url
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = sql.engine_options(
        url,
        pool_size=settings.database_pool_size,
        overflow=settings.database_pool_overflow,
        recycle=settings.database_recycle,
        timeout=settings.database_timeout,
    )
    db.init_app(app)
    migrate.init_app(app, db)
    with app.app_context():
        sql.prepare(db.engine)
        if sql.is_postgres(url):
            event.listen(db.engine, "connect", sql.refuse_exempt_role)
