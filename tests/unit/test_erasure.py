"""The end of a tenant: nothing that bears its id is left in any store, and the receipt says what was removed."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import gallery
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy_utils import ChoiceType

import wsgi
from infra.aws.spool import Spool
from infra.errors import Problem
from infra.settings import Settings
from infra.sql import UtcDateTime
from processor import erasing
from tenants import claims, erasure, exports
from tenants.catalog import Album, album_by_id
from tenants.db import Base, TenantOwned, across_tenants, db
from tenants.erasure import Erasure
from tenants.names import export_key, intake_key, is_id, new_id, rendition_key
from tenants.registry import Tenant, TenantState
from tenants.scope import Site, open_site, ports, secret
from tenants.usage import Meter

pytestmark = pytest.mark.every_database


@pytest.fixture
def app(settings: Settings, world: World) -> Iterator[Flask]:
    app = wsgi.create_app(settings)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def owned_tables() -> list[Table]:
    owned = {mapper.local_table for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantOwned)}
    return [table for table in Base.metadata.sorted_tables if table in owned]


def value_for(column: Any) -> Any:
    """Something that the column takes."""
    kind = column.type
    if isinstance(kind, ChoiceType):
        return next(iter(kind.choices))
    if isinstance(kind, UtcDateTime | DateTime):
        return datetime(2026, 1, 1, tzinfo=UTC)
    if isinstance(kind, Date):
        return date(2026, 1, 1)
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, BigInteger | Integer | Numeric | Float):
        return 7
    if isinstance(kind, JSON):
        return {}
    if isinstance(kind, LargeBinary):
        return b"\x01"
    return new_id()[: getattr(kind, "length", None) or 26]


def fill_every_table(tenant_id: str) -> None:
    """A row in each table that a tenant can own, whether the test knows what it is for or not."""
    session = db.session()
    with across_tenants(session, "a row in every table"):
        for table in owned_tables():
            if session.execute(select(table.c.tenant_id).where(table.c.tenant_id == tenant_id)).first():
                continue
            row: dict[str, Any] = {}
            for key in table.foreign_key_constraints:
                parent = key.referred_table
                where = parent.c[key.elements[0].column.name] == tenant_id
                found = session.execute(select(*(each.column for each in key.elements)).where(where)).first()
                assert found is not None, f"{table.name} needs a row of {parent.name} first"
                row.update(zip(key.column_keys, found, strict=True))
            for column in table.columns:
                if column.name not in row and (column.primary_key or not column.nullable) and not column.server_default:
                    row[column.name] = value_for(column)
            session.execute(insert(table).values(row))
        session.execute(insert(Base.metadata.tables["stripe_events"]).values(stripe_event(tenant_id)))
        session.commit()


def stripe_event(tenant_id: str) -> dict[str, Any]:
    table = Base.metadata.tables["stripe_events"]
    return {column.name: value_for(column) for column in table.columns if not column.nullable} | {"named": tenant_id}


def fill_stores(tenant_id: str, data_dir: Path) -> None:
    """Originals, renditions, an export, an upload under way, messages alive and dead, items, points."""
    adapters = ports()
    with open_site(tenant_id) as site:
        album = site.session.scalars(select(Album)).first()
        assert album is not None
        asset = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), original=True, media={"camera": "C"})
        asset_id = asset.id
        claims.vouch(site.session, site.tenant, "fotos.example.com", "localhost", now=site.now())
        site.use(f"photo:{asset_id}", Meter.PHOTOS, 1, asset_id=asset_id)
        site.enqueue({"kind": "media", "tenant": tenant_id, "asset": asset_id})
        export_id = exports.ask(site).id
        site.session.commit()
        site.blobs.put(rendition_key(tenant_id, asset_id, 9, "w1.jpg"), b"late", content_type="image/jpeg")
        site.blobs.put(export_key(tenant_id, export_id, 1), b"zip", content_type="application/zip")
        writer = site.intake.writer(intake_key(tenant_id, new_id()), 0)
        writer.write(memoryview(b"half a film"))
        writer.commit()
        writer.close()
    for _ in range(2):
        adapters.queue.send({"kind": "media", "tenant": tenant_id, "asset": asset_id}, group=tenant_id)
    for _ in range(6):
        for message in adapters.queue.receive(1, visibility=timedelta(0)):
            assert message.group == tenant_id
    adapters.metrics.put("job.seconds", 1.0, tenant=tenant_id, kind="photo")


def holding(tenant_id: str, data_dir: Path) -> list[str]:
    """Every place where the tenant's id still is: all columns of all tables that the database has, and all files."""
    found: list[str] = []
    metadata = MetaData()
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(db.text("SELECT set_config('vitrine.across', 'on', true)"))
        metadata.reflect(connection)
        assert {table.name for table in owned_tables()} <= set(metadata.tables)
        found += [
            f"table {table.name}"
            for table in metadata.sorted_tables
            if any(tenant_id in repr(tuple(row)) for row in connection.execute(select(table)))
        ]
    files = [path for path in data_dir.rglob("*") if path.is_file() and not path.name.startswith("vitrine.db")]
    found += [f"path {path}" for path in data_dir.rglob("*") if tenant_id in path.as_posix()]
    found += [f"file {path}" for path in files if tenant_id.encode() in path.read_bytes()]
    return sorted(set(found))


def ask(tenant_id: str, grace: timedelta = timedelta(0)) -> str:
    with open_site(tenant_id) as site:
        asked = erasure.ask(site, "owner", grace).id
        site.session.commit()
        return asked


def test_nothing_is_left_and_the_neighbour_keeps_everything(app: Flask, world: World, settings: Settings) -> None:
    for tenant in (world.alpha, world.beta):
        if tenant == world.beta:
            fill_beta(tenant)
        else:
            fill_stores(tenant, settings.data_dir)
        fill_every_table(tenant)
    with db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(db.text("SELECT set_config('vitrine.across', 'on', true)"))
        for table in owned_tables():
            assert connection.execute(select(table).where(table.c.tenant_id == world.alpha)).first(), table.name
    before = holding(world.alpha, settings.data_dir)
    assert len(before) > len(owned_tables())
    others = holding(world.beta, settings.data_dir)

    receipt = erasing.erase(ask(world.alpha))
    assert receipt is not None
    assert holding(world.alpha, settings.data_dir) == []
    assert holding(world.beta, settings.data_dir) == others
    with open_site(world.beta) as site:
        assert album_by_id(site.session, world.beta, world.beta_album) is not None

    told = erasure.opened(secret(), receipt)
    assert told["subject_sha256"] == erasure.subject(world.alpha)
    assert told["removed"]["objects"] >= 6 and told["removed"]["arriving"] == 1 and told["removed"]["items"] == 1
    assert told["removed"]["messages"] >= 2 and told["removed"]["metrics"] >= 1
    assert set(told["removed"]["rows"]) >= {table.name for table in owned_tables()} | {"tenants", "stripe_events"}
    assert told["found_afterwards"] == dict.fromkeys(("objects", "arriving", "items", "metrics", "rows"), 0)
    erased_at, backups = (datetime.fromisoformat(told[name]) for name in ("erased_at", "backups_expire_at"))
    assert backups - erased_at == timedelta(days=settings.backup_days)
    assert world.alpha not in receipt and "alpha" not in receipt
    with pytest.raises(Problem, match="changed"):
        erasure.opened(secret(), receipt.replace('"asked_by": "owner"', '"asked_by": "nobody"'))


def fill_beta(tenant_id: str) -> None:
    """The neighbour has things in the same stores."""
    with open_site(tenant_id) as site:
        album = site.session.scalars(select(Album)).first()
        assert album is not None
        gallery.add_photo(site, album, gallery.shot(gallery.sources()[1]), original=True, media={"camera": "D"})
        site.session.commit()
    ports().queue.send({"kind": "media", "tenant": tenant_id, "asset": new_id()}, group=tenant_id)
    ports().metrics.put("job.seconds", 1.0, tenant=tenant_id, kind="photo")


@pytest.mark.parametrize("where", ["_let_go_of_domains", "_rows", "probe", "_seal"])
def test_it_goes_on_after_a_crash_anywhere(
    app: Flask, world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    fill_stores(world.alpha, settings.data_dir)
    asked = ask(world.alpha)

    class Killed(Exception):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as broken, pytest.raises(Killed):
        broken.setattr(erasing, where, die)
        erasing.erase(asked)
    db.session.rollback()
    assert erasing.run_due() == 1
    assert holding(world.alpha, settings.data_dir) == []
    assert erasing.run_due() == 0


def test_what_arrives_meanwhile_is_found(
    app: Flask, world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is not told stores a last rendition behind the first emptying."""
    asked = ask(world.alpha)
    whole = erasing._rows

    def late(site: Site) -> None:
        whole(site)
        ports().blobs.put(rendition_key(world.alpha, new_id(), 1, "w1.jpg"), b"late", content_type="image/jpeg")

    monkeypatch.setattr(erasing, "_rows", late)
    assert erasing.erase(asked) is not None
    assert holding(world.alpha, settings.data_dir) == []


def test_something_left_means_no_receipt(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(world.alpha)
    with monkeypatch.context() as broken:
        broken.setattr(erasing, "probe", lambda *_, **__: {"objects": 1})
        assert erasing.erase(asked) is None
    assert erasure.receipt_of(asked) is None
    assert erasing.run_due() == 1
    assert erasure.receipt_of(asked) is not None


def test_the_grace_closes_the_site_and_can_be_undone(app: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        site.session.get_one(Tenant, world.alpha).state = TenantState.READ_ONLY
        site.session.commit()
    asked = ask(world.alpha, timedelta(days=14))
    assert erasing.run_due() == 0
    with open_site(world.alpha) as site:
        assert (site.entitlements.open, site.entitlements.writable) == (False, False)
        with pytest.raises(Problem, match="already"):
            erasure.ask(site, "owner")
        erasure.undo(site)
        site.session.commit()
        assert site.session.get_one(Tenant, world.alpha).state is TenantState.READ_ONLY
        with pytest.raises(Problem, match="not to be erased"):
            erasure.undo(site)
        site.session.rollback()
    row = db.session.get_one(Erasure, asked)
    row.due_at = row.requested_at
    db.session.commit()
    assert erasing.run_due() == 0 and erasing.erase(asked) is None
    with open_site(world.alpha) as site:
        assert is_id(site.tenant_id)


def test_once_begun_there_is_no_way_back(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask(world.alpha)
    monkeypatch.setattr(erasing, "_let_go_of_domains", lambda site: False)
    assert erasing.erase(asked) is None
    with open_site(world.alpha) as site, pytest.raises(Problem, match="has begun"):
        erasure.undo(site)


def test_a_running_plan_is_cancelled_first(app: Flask, world: World) -> None:
    table = Base.metadata.tables["subscriptions"]
    row = {column.name: value_for(column) for column in table.columns if not column.nullable}
    row |= {"tenant_id": world.alpha, "status": "active", "ends_with_period": False}
    with open_site(world.alpha) as site:
        site.session.execute(insert(table).values(row))
        with pytest.raises(Problem, match="paid for"):
            erasure.ask(site, "owner")
        site.session.execute(table.update().values(ends_with_period=True))
        assert erasure.ask(site, "owner").tenant_id == world.alpha
        site.session.rollback()


def test_lines_of_the_spool_go(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=10_000_000)
    for tenant in ("one", "two", "one"):
        spool.append(json.dumps(["m", 1, "Count", {"tenant": tenant}, 0]).encode())
    assert spool.remove(lambda line: b'"one"' in line) == 2
    left = [line for taken in spool.take() for line in taken.lines]
    assert len(left) == 1 and b"two" in left[0]


def test_every_table_is_known_to_the_probe(app: Flask, world: World) -> None:
    """A column that could name a tenant under another name would be passed over."""
    names = set(inspect(db.engine).get_table_names())
    fill_every_table(world.alpha)
    counted = set(erasing_rows(world.alpha))
    assert {table.name for table in owned_tables()} <= counted <= names


def erasing_rows(tenant_id: str) -> dict[str, int]:
    session = db.session()
    with across_tenants(session, "the test counts"):
        return erasing.rows_of(tenant_id)


def test_the_commands_of_the_operator(app: Flask, world: World, settings: Settings, tmp_path: Path) -> None:
    runner = app.test_cli_runner()

    def said(*arguments: str, **options: Any) -> str:
        return runner.invoke(args=["tenants", *arguments], **options).output

    assert "Nothing was changed" in said("erase", "alpha", input="beta\n")
    assert "closed" in said("erase", "alpha", "--confirm", "alpha")
    assert "alpha stays" in said("keep", "alpha")
    closed = said("erase", "alpha", "--confirm", "alpha", "--grace", "0")
    receipt_id = closed.split()[-1]
    assert is_id(receipt_id), closed
    assert "neither" in said("receipt", receipt_id)
    assert erasing.run_due() == 1
    assert erasure.subject(world.alpha) in said("receipt", receipt_id)
    kept = erasure.receipt_of(receipt_id)
    assert kept is not None
    (tmp_path / "receipt").write_text(kept)
    assert "there is no tenant" in said("keep", "alpha")
    session = db.session()
    with across_tenants(session, "a restored backup"):
        session.execute(
            insert(Tenant.__table__)
            .values(  # type: ignore[arg-type]
                id=world.alpha, slug="alpha", name="Alpha", state=TenantState.ACTIVE, created_at=datetime.now(UTC)
            )
            .values(redirect_to_primary=False)
        )
        session.commit()
    assert "is here again" in said("receipt", str(tmp_path / "receipt"))
