"""Alembic's environment: the tables of the domain (through the app) and of the embedded adapters.

Migrations run as the owner of the tables. On PostgreSQL each one is a transaction of its own, which waits for a lock
for at most a few seconds: one that queued behind a long transaction would stop everyone who queues behind it.
"""

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Engine, MetaData, create_engine, pool
from sqlalchemy.types import TypeDecorator, TypeEngine

from infra.local.tables import metadata as adapter_tables
from infra.migrations.grants import let_serve
from infra.settings import Settings
from infra.sql import is_postgres

database = current_app.extensions["migrate"].db
settings: Settings = current_app.extensions["vitrine.settings"]

# FORCE binds the owner too, so a migration that touches rows says that it works for all tenants.
OWNER_SESSION = "-c lock_timeout=5s -c vitrine.across=on"


def plain_type(kind: str, item: object, _context: object) -> str | bool:
    """Write the column type that the database sees, so that migrations do not import the domain."""
    if kind == "type" and isinstance(item, TypeDecorator) and not type(item).__module__.startswith("infra."):
        return f"sa.{item.impl_instance!r}" if isinstance(item.impl_instance, TypeEngine) else False
    return False


def grant(ctx: Any, **_about: Any) -> None:
    """Alembic calls this within the transaction of each migration that it applies."""
    let_serve(ctx.connection, settings.database_url)


def engine_of_owner() -> Engine:
    if not is_postgres(settings.database_owner_url):
        engine: Engine = database.engine
        return engine
    return create_engine(settings.database_owner_url, poolclass=pool.NullPool, connect_args={"options": OWNER_SESSION})


def run() -> None:
    """Migrate. SQLite gets batch mode, since it cannot alter most things in place."""
    targets: list[MetaData] = [database.metadata, adapter_tables]
    with engine_of_owner().connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=targets,
            render_item=plain_type,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            transaction_per_migration=True,
            on_version_apply=grant,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: set VITRINE_DATABASE_URL and run `flask --app wsgi db upgrade`.")
run()
