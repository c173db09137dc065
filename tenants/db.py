"""The session and its guards.

A session works for one tenant (`tenants.scope` sets it) or says aloud that it works across tenants. Three guards stand
behind every handler's own care: reads of tenant-owned classes get the tenant's criterion or are refused without a
scope; a flush refuses rows of another tenant; composite keys on `(tenant_id, id)` refuse references across tenants.
On PostgreSQL row-level security is the fourth.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, ForeignKeyConstraint, MetaData, String, event
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    UOWTransaction,
    mapped_column,
    registry,
    with_loader_criteria,
)

from infra import sql
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


_TENANT = "tenant_id"
_ACROSS = "across_tenants"


def bind_tenant(session: Session, tenant_id: str) -> None:
    """Make the session serve one tenant. Objects loaded for another are dropped from its identity map."""
    if session.info.get(_TENANT) != tenant_id:
        session.expunge_all()
    session.info.pop(_ACROSS, None)
    session.info[_TENANT] = tenant_id


@contextmanager
def across_tenants(session: Session, reason: str) -> Iterator[Session]:
    """Code of the operator, the relay and the sweep. `reason` is for the reader and the logs."""
    before = dict(session.info)
    session.info.pop(_TENANT, None)
    session.info[_ACROSS] = reason
    try:
        yield session
    finally:
        session.expunge_all()
        session.info.clear()
        session.info.update(before)


def bound_tenant(session: Session) -> str | None:
    tenant_id: str | None = session.info.get(_TENANT)
    return tenant_id


@event.listens_for(Session, "do_orm_execute")
def _scope_statements(state: ORMExecuteState) -> None:
    if _ACROSS in state.session.info or state.is_column_load:
        return
    owned = [mapper.class_ for mapper in state.all_mappers if issubclass(mapper.class_, TenantOwned)]
    if not owned:
        return
    tenant_id = bound_tenant(state.session)
    if tenant_id is None:
        raise ScopeMissing(f"no tenant in scope for {', '.join(cls.__name__ for cls in owned)}")
    state.statement = state.statement.options(
        with_loader_criteria(TenantOwned, lambda cls: cls.tenant_id == tenant_id, include_aliases=True)
    )


@event.listens_for(Session, "before_flush")
def _guard_flush(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    if _ACROSS in session.info:
        return
    tenant_id = bound_tenant(session)
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, TenantOwned) and row.tenant_id != tenant_id:
            raise ForeignTenant(f"{type(row).__name__} of {row.tenant_id} in a session of {tenant_id}")


def init_app(app: Flask, database_url: str) -> None:
    """Give the app its engine, session and migrations."""
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", {"pool_pre_ping": not database_url.startswith("sqlite")})
    db.init_app(app)
    migrate.init_app(app, db)
    with app.app_context():
        sql.prepare(db.engine)
