"""Alembic's environment: the tables of the domain (through the app) and of the embedded adapters."""

from alembic import context
from flask import current_app
from sqlalchemy import MetaData
from sqlalchemy.types import TypeDecorator, TypeEngine

from infra.local.tables import metadata as adapter_tables

database = current_app.extensions["migrate"].db


def plain_type(kind: str, item: object, _context: object) -> str | bool:
    """Write the column type that the database sees, so that migrations do not import the domain."""
    if kind == "type" and isinstance(item, TypeDecorator) and not type(item).__module__.startswith("infra."):
        return f"sa.{item.impl_instance!r}" if isinstance(item.impl_instance, TypeEngine) else False
    return False


def run() -> None:
    """Migrate over the app's engine; SQLite gets batch mode, since it cannot alter most things in place."""
    targets: list[MetaData] = [database.metadata, adapter_tables]
    with database.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=targets,
            render_item=plain_type,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations need the database: set VITRINE_DATABASE_URL and run `flask --app wsgi db upgrade`.")
run()
