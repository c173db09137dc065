"""Copies of a tenant's rows, made by the database itself, until it holds as much as a large installation."""

from typing import Any

import psycopg

_TABLES = ("brands", "albums", "assets", "renditions", "editions")
COPY = 'INSERT INTO "{0}" ({1}) SELECT {2} FROM "{0}" AS old, generate_series(%s::int, %s::int) AS copy WHERE {3} = %s'
"""Ids of copies end in the copy's number, so that references among them hold."""


def multiply(connection: psycopg.Connection[Any], tenants: int) -> tuple[int, int]:
    """Copy the second tenant until there are `tenants`. Returns how many tenants and assets there are then.

    For a superuser: triggers do not run meanwhile (`session_replication_role`), which would count an edition a row.
    """
    connection.execute("SET session_replication_role = replica")
    found = connection.execute("SELECT id FROM tenants WHERE slug = 'bench-1'").fetchone()
    present = connection.execute("SELECT count(*) FROM tenants").fetchone()
    assert found and present
    for table in ("tenants", *_TABLES):
        _copy(connection, table, found[0], present[0], tenants - 1)
    connection.execute("VACUUM ANALYZE")
    counted = connection.execute("SELECT (SELECT count(*) FROM tenants), (SELECT count(*) FROM assets)").fetchone()
    assert counted
    return int(counted[0]), int(counted[1])


def _copy(connection: psycopg.Connection[Any], table: str, tenant: str, first: int, last: int) -> None:
    columns = [
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public'"
            " AND is_generated = 'NEVER'",
            [table],
        )
    ]
    values = [_value(table, column) for column in columns]
    owner = "id" if table == "tenants" else "tenant_id"
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(COPY.format(table, names, ", ".join(values), owner), [first, last, tenant])  # type: ignore[arg-type]


def _value(table: str, column: str) -> str:
    numbered = f"left(old.{column}, 19) || lpad(copy::text, 7, '0')"
    if column == "tenant_id" or (table == "tenants" and column == "id"):
        return numbered
    if table == "tenants" and column == "slug":
        return "'bench-' || copy"
    return f'old."{column}"'
