"""What the serving role may do, brought up to date with every migration that is applied."""

from sqlalchemy import Connection, inspect
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import make_url

READ_ONLY = {"alembic_version"}
APPEND_ONLY = {"usage_events", "ledger", "plan_terms", "invoices", "audit_events", "operator_log", "support_acts"}
"""What bills are made of, and logs of what was done: an entry is written once, and corrected by another entry."""


def let_serve(connection: Connection, serving_url: str) -> None:
    """Rows of every table and nothing else: the serving role changes no schema, truncates nothing, owns nothing.

    Does nothing where the same role owns and serves, and on SQLite.
    """
    if connection.dialect.name != "postgresql":
        return
    serving, owner = make_url(serving_url).username, connection.engine.url.username
    if serving is None or serving == owner:
        return
    role = PGDialect().identifier_preparer.quote(serving)
    for table in inspect(connection).get_table_names():
        rights = "SELECT, INSERT, UPDATE, DELETE"
        if table in READ_ONLY:
            rights = "SELECT"
        elif table in APPEND_ONLY:
            rights = "SELECT, INSERT"
        connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {role}")
        connection.exec_driver_sql(f"GRANT {rights} ON {table} TO {role}")
    connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
