"""Behind every other guard, PostgreSQL: the serving role, given another tenant's ids, reads and writes nothing.

Beta is the intruder, alpha is asked for. Core statements and `text()` pass by the session's guards on purpose, and raw
connections by all of Vitrine: what refuses them is the database alone.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from conftest import World
from flask import Flask
from postgres import SERVING, Server
from psycopg import sql
from sqlalchemy import Table, delete, func, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

import wsgi
from infra.settings import Settings, load
from infra.sql import UnsafeRole
from tenants import (
    catalog,
    claims,
    contributions,
    embeds,
    guessing,
    guests,
    moves,
    nesting,
    news,
    outbox,
    proofing,
    search,
    sharing,
    tags,
)
from tenants.catalog import Album, Asset, Rendition
from tenants.db import Base, TenantOwned, across_tenants, db
from tenants.purges import EdgePurge
from tenants.registry import Brand, Tenant
from tenants.scope import Site, open_site, secret
from tenants.sharing import ShareLink
from tenants.usage import Meter
from uploader.session import Upload

pytestmark = pytest.mark.postgres

INSUFFICIENT_PRIVILEGE = "42501"
LEDGER = "usage_events"
APPEND_ONLY = (LEDGER, "ledger", "plan_terms", "invoices", "audit_events", "support_acts")
OWNED: list[Table] = sorted(
    (mapper.local_table for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantOwned)),  # type: ignore[misc]
    key=lambda table: table.name,
)
EVERY_OWNED = pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)


@pytest.fixture
def database() -> str:
    return "postgres"


@pytest.fixture
def app(settings: Settings, world: World) -> Iterator[Flask]:
    """An app on PostgreSQL, with rows of alpha in every table that holds tenants' rows."""
    app = wsgi.core(settings)
    with app.app_context():
        with open_site(world.alpha) as site:
            furnish(site, world.alpha_album)
        yield app
        db.session.remove()
        db.engine.dispose()


def furnish(site: Site, album_id: str) -> None:
    album = catalog.album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    now = site.now()
    asset = catalog.add_asset(
        site.session, album, asset_id="0" * 26, filename="a.jpg", sha256="a" * 64, size=1, now=now
    )
    site.session.add_all(
        [
            Rendition(
                tenant_id=site.tenant_id, asset_id=asset.id, generation=1, name="w320.jpg", content_type="i", size=1
            ),
            Upload(
                tenant_id=site.tenant_id,
                id="1" * 26,
                album_id=album.id,
                asset_id="2" * 26,
                stored_as="1" * 26,
                filename="b.jpg",
                declared_type="image/jpeg",
                metadata_header="",
                max_bytes=1,
                created_at=now,
                expires_at=now + timedelta(days=1),
            ),
        ]
    )
    link, _ = sharing.create_link(site.session, album, secret(), now=now)
    leave(site, album, link, asset)
    embeds.create(site.session, site.tenant_id, ["https://blog.example"], now=now, album=album)
    nesting.put(site.session, catalog.create_album(site.session, site.tenant_id, "Inside", now=now), album)
    site.session.add(moves.AssetMove(tenant_id=site.tenant_id, album_id=album.id, asset_id=asset.id, moved_at=now))
    tags.put(site.session, asset, ["sea"])
    search.index(site.session, site.tenant_id, asset.id, camera="")
    claims.claim(site.session, site.tenant, "photos.example", "localhost", now=now)
    site.session.add(EdgePurge(tenant_id=site.tenant_id, id="3" * 26, hosts=["h"], paths=["/"], created_at=now))
    site.enqueue(outbox.media_job(site.tenant_id, asset.id))
    site.use("upload:1", Meter.UPLOADED, 1)
    site.session.flush()
    for table in [each for each in Base.metadata.sorted_tables if each in OWNED]:
        if site.session.execute(select(table).where(table.c.tenant_id == site.tenant_id).limit(1)).first() is None:
            site.session.execute(insert(table).values(anything(table, site)))
    site.session.commit()


def anything(table: Table, site: Site) -> dict[str, object]:
    """A row of the table. What it refers to is the first that the tenant has of that."""
    made: dict[str, object] = {}
    for key in table.foreign_key_constraints:
        (column, found) = key.column_keys[-1], key.referred_table
        if column != "tenant_id" and not table.columns[column].nullable:
            wanted = select(found.c.id).where(found.c.tenant_id == site.tenant_id).limit(1)
            made[column] = site.session.execute(wanted).scalar_one()
    for column in table.columns:
        kind = type(getattr(column.type, "impl", column.type)).__name__
        if column.nullable or column.name == "tenant_id" or column.name in made:
            continue
        if kind in ("Integer", "BigInteger"):
            made[column.name] = 1
        elif kind == "Boolean":
            made[column.name] = False
        elif kind == "Date":
            made[column.name] = site.now().date()
        elif kind == "DateTime":
            made[column.name] = site.now()
        elif kind == "JSON":
            made[column.name] = []
        elif kind == "LargeBinary":
            made[column.name] = b"x"
        elif not hasattr(column.type, "choices"):
            made[column.name] = "x"
        elif column.default is None:
            made[column.name] = next(iter(column.type.choices))
    return {**made, "tenant_id": site.tenant_id}


def leave(site: Site, album: Album, link: ShareLink, asset: Asset) -> None:
    """What a guest leaves: a row in each of their tables."""
    now, session = site.now(), site.session
    guest = guests.create(session, link, "Guest", now=now)
    guests.set_favourite(session, guest, asset, True, now=now)
    guests.add_comment(session, guest, asset, "How nice", now=now)
    proofing.choose(session, proofing.begin(session, guest, "Prints", 3, now=now), [asset.id])
    contributions.announce(session, link, guest.id, "3" * 26, 1, now=now)
    guessing.book(session, link, guessing.Guessed.PIN, "somewhere", now=now)
    news.tell(session, album, news.NewsKind.COMMENT, "Guest", "How nice", now=now)


@pytest.fixture
def raw(app: Flask, settings: Settings) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The serving role's own connection, as someone has it who stole the password."""
    url = make_url(settings.database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        yield connection


def count_of(table: Table, tenant_id: str) -> int:
    """Rows of a tenant, by code that works for all tenants."""
    with across_tenants(db.session(), "count") as session:
        rows = session.execute(select(func.count()).select_from(table).where(table.c.tenant_id == tenant_id)).scalar()
        session.rollback()
        return int(rows or 0)


# --- Reading ---------------------------------------------------------------------------------------------------------


@EVERY_OWNED
def test_nothing_of_another_tenant_is_read(app: Flask, world: World, table: Table) -> None:
    assert count_of(table, world.alpha) > 0, "furnish() must make a row in every table"
    with open_site(world.beta) as site:
        session = site.session
        model = next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is table)
        assert session.scalars(select(model).where(model.tenant_id == world.alpha)).all() == []
        assert session.execute(select(table).where(table.c.tenant_id == world.alpha)).all() == []
        others = text(f"SELECT * FROM {table.name} WHERE tenant_id <> :own")  # noqa: S608  # our own table's name
        assert session.execute(others, {"own": world.beta}).all() == []
        joined = select(Tenant.id).join(table, table.c.tenant_id == Tenant.id).where(Tenant.id == world.alpha)
        assert session.execute(joined).all() == []


@EVERY_OWNED
def test_a_transaction_that_says_nothing_sees_nothing(app: Flask, world: World, table: Table) -> None:
    with db.engine.connect() as connection:
        assert connection.execute(select(table)).all() == []


@EVERY_OWNED
def test_a_raw_connection_is_held_to_what_it_says(
    app: Flask, raw: psycopg.Connection[tuple[object, ...]], world: World, table: Table
) -> None:
    everything = sql.SQL("SELECT tenant_id FROM {}").format(sql.Identifier(table.name))
    assert raw.info.user == SERVING
    assert raw.execute(everything).fetchall() == []
    for setting, value in (("vitrine.tenant", ""), ("vitrine.tenant", "%"), ("vitrine.across", "")):
        raw.execute("SELECT set_config(%s, %s, true)", (setting, value))
        assert raw.execute(everything).fetchall() == []
    raw.execute("SELECT set_config('vitrine.tenant', %s, true)", (world.beta,))
    assert set(raw.execute(everything).fetchall()) <= {(world.beta,)}


# --- Writing ---------------------------------------------------------------------------------------------------------


@EVERY_OWNED
def test_nothing_of_another_tenant_is_written(app: Flask, world: World, table: Table) -> None:
    before = count_of(table, world.alpha)
    with across_tenants(db.session(), "take a row to smuggle") as session:
        stolen = dict(session.execute(select(table).where(table.c.tenant_id == world.alpha)).mappings().first() or {})
        session.rollback()
    with open_site(world.beta) as site:
        foreign = table.c.tenant_id == world.alpha
        changes = [update(table).where(foreign).values(tenant_id=world.beta), delete(table).where(foreign)]
        for change in changes:
            if table.name in APPEND_ONLY:
                assert refused(site, change)
            else:
                assert site.session.execute(change).rowcount == 0  # type: ignore[attr-defined]
        assert refused(site, insert(table).values(stolen))
        site.session.commit()
    assert count_of(table, world.alpha) == before


def refused(site: Site, statement: object) -> bool:
    """Whether PostgreSQL denies it, rather than finding nothing to do."""
    try:
        site.session.execute(statement)  # type: ignore[call-overload]
    except ProgrammingError as error:
        site.session.rollback()
        return getattr(error.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE
    return False


def test_an_own_row_is_not_given_away(app: Flask, world: World) -> None:
    with open_site(world.beta) as site:
        assert refused(site, update(Album.__table__).values(tenant_id=world.alpha))  # type: ignore[arg-type]


def test_the_ledger_is_append_only(app: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        ledger = Base.metadata.tables[LEDGER]
        assert refused(site, update(ledger).values(quantity=0))
        assert refused(site, delete(ledger))
        assert not site.use("upload:1", Meter.UPLOADED, 1)
        assert site.use("upload:2", Meter.UPLOADED, 1)


def test_the_directory_is_read_by_all_and_written_by_its_own(app: Flask, world: World) -> None:
    with open_site(world.beta) as site:
        assert site.session.scalar(select(Brand.accent).where(Brand.tenant_id == world.alpha))
        theft = [
            update(Brand).where(Brand.tenant_id == world.alpha).values(tagline="beta was here"),
            update(Tenant).where(Tenant.id == world.alpha).values(name="beta was here"),
            delete(Tenant).where(Tenant.id == world.alpha),
        ]
        for statement in theft:
            assert site.session.execute(statement).rowcount == 0  # type: ignore[attr-defined]
        domain = text("INSERT INTO domains (host, tenant_id, created_at) VALUES ('beta.example', :tenant, now())")
        site.session.execute(domain, {"tenant": world.beta})
        assert refused(site, domain.bindparams(tenant=world.alpha))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE albums DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_rows ON albums",
        "TRUNCATE assets CASCADE",
        "CREATE TABLE mine (id int)",
        "SET ROLE vitrine_owner",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER ROLE vitrine_serving BYPASSRLS",
        "SET LOCAL row_security = off; SELECT count(*) FROM albums",
    ],
)
def test_the_serving_role_cannot_free_itself(raw: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw.execute(statement)  # type: ignore[arg-type]


def test_a_role_that_policies_do_not_bind_is_refused(postgres: Server, settings: Settings, tmp_path: Path) -> None:
    name = str(make_url(settings.database_url).database)
    app = wsgi.core(load(data_dir=tmp_path, database_url=postgres.dsn("postgres", name)))
    with app.app_context(), pytest.raises(UnsafeRole, match="postgres bypasses row-level security"):
        db.session.execute(text("SELECT 1"))
