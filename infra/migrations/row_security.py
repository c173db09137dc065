"""Row-level security in migrations: what a new table with a tenant's rows gets.

A transaction says whom it serves by `SET LOCAL` (`tenants/db.py`): `vitrine.tenant` names one tenant, `vitrine.across`
is `on` for code that works for all. Without either, `current_setting(…, true)` is NULL or empty and no row fits. The
settings are read in sub-selects so that PostgreSQL evaluates them once a statement, not once a row.
"""

from alembic import op

_OWN = (
    "({column} = (SELECT current_setting('vitrine.tenant', true))"
    " OR (SELECT current_setting('vitrine.across', true)) = 'on')"
)


def isolate(table: str) -> None:
    """A tenant's rows are seen and written only by a transaction that serves the tenant."""
    own = _OWN.format(column="tenant_id")
    op.execute(f"CREATE POLICY own_rows ON {table} USING {own} WITH CHECK {own}")
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def publish(table: str, column: str) -> None:
    """Every transaction reads the table, as the lookup of a host does before a tenant is known; rows are written as in
    `isolate`."""
    own = _OWN.format(column=column)
    op.execute(f"CREATE POLICY everyone_reads ON {table} FOR SELECT USING (true)")
    op.execute(f"CREATE POLICY own_rows ON {table} USING {own} WITH CHECK {own}")
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def force(table: str) -> None:
    """The policies hold for the table's owner as well: a forgotten setting shows nothing there either."""
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def open_up(table: str) -> None:
    """Undo all of the above."""
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute(f"DROP POLICY IF EXISTS everyone_reads ON {table}")
    op.execute(f"DROP POLICY own_rows ON {table}")
