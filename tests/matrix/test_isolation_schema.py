"""Every table has its place: a tenant's, published, or infrastructure's. A tenant's has policy, FORCE and keys.

The tables come from the models and from the database's own catalogue, so a new one is checked on the day it is there.
"""

from collections.abc import Iterator

import pytest
from flask import Flask
from postgres import OWNER, SERVING, Server
from sqlalchemy import Connection, create_engine, inspect, pool, text

import wsgi
from infra.local.tables import metadata as adapter_tables
from infra.migrations.grants import APPEND_ONLY
from infra.settings import Settings
from tenants.db import Base, TenantOwned

pytestmark = pytest.mark.postgres

PUBLISHED = {"tenants": "id", "brands": "tenant_id", "domains": "tenant_id", "editions": "tenant_id"}
"""Read before a tenant is known, or shown to everyone who visits; written only for the tenant in that column."""

# Names of what was made for one tenant go into these under an opaque key (`tenants/scope.py`), as on AWS.
INFRASTRUCTURE = {*adapter_tables.tables, "alembic_version"}

NOBODYS = {"stripe_events", "erasures", "delivery_logs", "delivery_hours"} | {
    *("operator_log", "blocked_hashes", "feature_switches", "announcements")
}
"""Webhooks, kept before it is known whose they are: ids of Stripe's, and no tenant's name or text (ADR 0092). What
remains of a tenant that was erased: the receipt, under the hash of an id (ADR 0174). Names and sums of the edge's logs,
which tell of all tenants together. And the operator's own: its log, what it took down, switched and announced (ADR
0180)."""

OWN = "( SELECT current_setting('vitrine.tenant'::text, true) AS current_setting)"
ACROSS = "( SELECT current_setting('vitrine.across'::text, true) AS current_setting)"

FLAGS = text(
    "SELECT relrowsecurity, relforcerowsecurity, relowner::regrole::text FROM pg_class WHERE oid = (:name)::regclass"
)
POLICIES = text("SELECT policyname, permissive, cmd, qual, with_check FROM pg_policies WHERE tablename = :name")


@pytest.fixture
def database() -> str:
    return "postgres"


@pytest.fixture
def owner(settings: Settings, postgres: Server) -> Iterator[Connection]:
    """The owner's connection to a migrated database; what a test changes is rolled back."""
    engine = create_engine(settings.database_owner_url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def models(settings: Settings) -> Flask:
    return wsgi.create_app(settings)


def faults(connection: Connection) -> list[str]:
    """What is missing, a line each."""
    owned = {m.local_table.name for m in Base.registry.mappers if issubclass(m.class_, TenantOwned)}  # type: ignore[attr-defined]
    existing = set(inspect(connection).get_table_names())
    lines = [f"{name}: is in the models and not in the database" for name in {*Base.metadata.tables} - existing]
    lines += [f"{name}: say whose rows it holds" for name in existing - owned - {*PUBLISHED} - INFRASTRUCTURE - NOBODYS]
    for name in sorted(owned & existing):
        lines += [*_unprotected(connection, name, "tenant_id", published=False), *_loose_keys(connection, name, owned)]
    for name, column in PUBLISHED.items():
        lines += _unprotected(connection, name, column, published=True)
    return lines


def _unprotected(connection: Connection, name: str, column: str, *, published: bool) -> Iterator[str]:
    enabled, forced, owner = connection.execute(FLAGS, {"name": name}).one()
    if not enabled:
        yield f"{name}: row-level security is off"
    if not forced:
        yield f"{name}: its owner is not bound (FORCE)"
    if owner != OWNER:
        yield f"{name}: belongs to {owner}"
    rule = f"((({column})::text = {OWN}) OR ({ACROSS} = 'on'::text))"
    wanted = {("own_rows", "PERMISSIVE", "ALL", rule, rule)}
    if published:
        wanted.add(("everyone_reads", "PERMISSIVE", "SELECT", "true", None))
    if {tuple(row) for row in connection.execute(POLICIES, {"name": name})} != wanted:
        yield f"{name}: its policies are not those of infra/migrations/row_security.py"


def _loose_keys(connection: Connection, name: str, owned: set[str]) -> Iterator[str]:
    inspector = inspect(connection)
    key = inspector.get_pk_constraint(name)["constrained_columns"]
    if key[:1] != ["tenant_id"] or len(key) < 2:
        yield f"{name}: its primary key is ({', '.join(key)}), not (tenant_id, …)"
    references = inspector.get_foreign_keys(name)
    if not any(r["referred_table"] == "tenants" and r["constrained_columns"] == ["tenant_id"] for r in references):
        yield f"{name}: tenant_id refers to no tenant"
    for reference in references:
        pairs = set(zip(reference["constrained_columns"], reference["referred_columns"], strict=True))
        if reference["referred_table"] in owned and ("tenant_id", "tenant_id") not in pairs:
            yield f"{name}: {reference['constrained_columns']} may refer to another tenant's row"
    for column in inspector.get_columns(name):
        target = column["name"].removesuffix("_id") + "s"
        referred = {c for r in references if r["referred_table"] == target for c in r["constrained_columns"]}
        if (
            column["name"].endswith("_id")
            and target in owned
            and column["name"] not in referred | _LOOSE.get(name, set())
        ):
            yield f"{name}: {column['name']} refers to {target} without a key"


_LOOSE = {
    # The ledger outlives what it counted, and an upload names its asset before there is one.
    "usage_events": {"album_id", "asset_id"},
    "rendition_use": {"album_id", "asset_id"},
    "uploads": {"asset_id"},
    # A copy of the asset's own, which has its key; a word leaves with its asset.
    "asset_words": {"album_id"},
}


def test_every_table_is_in_order(models: Flask, owner: Connection) -> None:
    assert faults(owner) == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("ALTER TABLE albums DISABLE ROW LEVEL SECURITY", "albums: row-level security is off"),
        ("ALTER TABLE brands NO FORCE ROW LEVEL SECURITY", "brands: its owner is not bound"),
        ("DROP POLICY own_rows ON outbox", "outbox: its policies"),
        ("CREATE POLICY more ON members FOR SELECT USING (true)", "members: its policies"),
        ("ALTER POLICY own_rows ON assets USING (true)", "assets: its policies"),
        ("DROP POLICY own_rows ON domains", "domains: its policies"),
        ("CREATE TABLE notes (tenant_id varchar(26), id varchar(26))", "notes: say whose rows it holds"),
        ("ALTER TABLE favourites DROP CONSTRAINT pk_favourites", "favourites: its primary key"),
        ("ALTER TABLE members DROP CONSTRAINT fk_members_tenant_id", "members: tenant_id refers to no tenant"),
        ("ALTER TABLE assets DROP CONSTRAINT fk_assets_tenant_id_album_id", "assets: album_id refers to albums"),
        (
            "ALTER TABLE albums ADD UNIQUE (id); ALTER TABLE assets ADD FOREIGN KEY (album_id) REFERENCES albums (id)",
            "assets: ['album_id'] may refer to another tenant's row",
        ),
    ],
)
def test_each_omission_would_be_found(models: Flask, owner: Connection, damage: str, found: str) -> None:
    owner.execute(text(damage))
    (line,) = faults(owner)
    assert line.startswith(found)


def test_the_serving_role_has_rows_and_nothing_else(owner: Connection) -> None:
    rights = owner.execute(
        text("SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = :role"),
        {"role": SERVING},
    )
    granted: dict[str, set[str]] = {}
    for table, right in rights:
        granted.setdefault(table, set()).add(right)
    assert granted.pop("alembic_version") == {"SELECT"}
    assert all(granted.pop(name) == {"SELECT", "INSERT"} for name in APPEND_ONLY)
    assert set(granted) == {*Base.metadata.tables, *adapter_tables.tables} - APPEND_ONLY
    assert all(rights == {"SELECT", "INSERT", "UPDATE", "DELETE"} for rights in granted.values())
