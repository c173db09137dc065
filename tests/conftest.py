"""Fixtures for every test: settings in a folder of its own, a migrated database, two tenants and their people.

Alice and Adam belong to tenant `alpha` (owner and viewer), Bob to tenant `beta`. Nothing here is a mock: SQLite on
disk, blobs in files; a test that needs Redis asks for `redis_url` and gets a real server of its own.

A module marked `every_database` runs on PostgreSQL as well. `VITRINE_TEST_DATABASE=postgres` runs everything there.
"""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import in_memory
import made_once
import name_server
import order
import pytest
from argon2 import PasswordHasher
from doubles import keys, moto_clock, unique
from flask import Flask
from flask_migrate import upgrade
from hypothesis import settings as hypothesis_settings
from loopback import free_port, wait_for_port
from postgres import Server, postgres

import wsgi
from infra.settings import Settings, load
from tenants import catalog, delivered, people, registry
from tenants.db import db
from tenants.scope import enter, ports

__all__ = ["keys", "moto_clock", "postgres", "unique"]  # A fixture is found by being here.

PASSWORD = "correct horse battery"
MIGRATIONS = str(Path(wsgi.__file__).parent / "infra/migrations")
DATABASES = ("sqlite", "postgres")

# Most tests sign in and look at a page. A hash that takes long on purpose was a part of their time that tests nothing:
# here it is a cheap one of the same kind.
people._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
people._nobody = people._random_hash(people._hasher)
made_once.install()
in_memory.keep_folders()

# Properties are tried with the same examples everywhere, and however long a busy machine takes.
hypothesis_settings.register_profile("vitrine", deadline=None, derandomize=True)
hypothesis_settings.load_profile("vitrine")


def pytest_collection_finish() -> None:
    """What is imported by now stays until the end: the garbage collector walked through it again in every test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with every migration applied, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("migrated")
    app = wsgi.create_app(load(data_dir=folder))
    with app.app_context():
        upgrade(directory=MIGRATIONS)
        db.session.remove()
        db.engine.dispose()  # The last connection to close writes the log back into the file.
    return folder / "vitrine.db"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames and metafunc.definition.get_closest_marker("every_database"):
        both = [DATABASES[0], pytest.param(DATABASES[1], marks=pytest.mark.postgres)]
        metafunc.parametrize("database", both, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "PostgreSQL" in item.name:  # What stands behind a contract test is in its id.
            item.add_marker(pytest.mark.postgres)
    if "PYTEST_XDIST_WORKER" in os.environ:  # A plain run keeps the order in which tests are found.
        order.files(items)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """What `settings` are for."""
    kind = getattr(request, "param", os.environ.get("VITRINE_TEST_DATABASE", "sqlite"))
    assert kind in DATABASES
    return str(kind)


@pytest.fixture(scope="session")
def empty_dns() -> Iterator[str]:
    """The address of a name server that knows no names, so that no test asks the world's."""
    with name_server.running() as server:
        yield server.address


@pytest.fixture
def settings(tmp_path: Path, database: str, empty_dns: str, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """A data folder of the test's own; its database has `world` in it."""
    if database == "sqlite":
        shutil.copyfile(request.getfixturevalue("populated")[0], tmp_path / "vitrine.db")
        yield load(data_dir=tmp_path, visibility=5, dns_servers=empty_dns)
        let_go(tmp_path)
        return
    server: Server = request.getfixturevalue("postgres")
    name = server.copy(request.getfixturevalue("populated_postgres")[0])
    yield load(data_dir=tmp_path, visibility=5, dns_servers=empty_dns, **server.urls(name))
    let_go(tmp_path)
    server.drop(name)


def let_go(data_dir: Path) -> None:
    """What the test's web apps delivered is written while their database is there, or they would try it until the end.
    After that nothing holds them."""
    for each in list(delivered.counting):
        settings = each.app.extensions.get("vitrine.settings")
        if settings is not None and settings.data_dir == data_dir:
            finish(each.app)


def finish(app: Flask) -> None:
    """Have written what the app would write some seconds later, and close its connections."""
    if (counting := app.extensions.get("vitrine.delivered")) is not None:
        counting.close()
    if (tally := app.extensions.get("vitrine.tally")) is not None:
        tally.flush()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def core(settings: Settings) -> Iterator[Flask]:
    """An app context with database and ports, no routes."""
    yield from _running(wsgi.core(settings))


@pytest.fixture
def web(settings: Settings, world: "World") -> Iterator[Flask]:
    yield from _running(wsgi.make_web(settings), push=False)


@pytest.fixture
def upload(settings: Settings, world: "World") -> Iterator[Flask]:
    yield from _running(wsgi.make_upload(settings), push=False)


def _running(app: Flask, *, push: bool = True) -> Iterator[Flask]:
    if push:
        with app.app_context():
            yield app
            db.session.remove()
    else:
        yield app
    finish(app)


@dataclass(frozen=True)
class World:
    """Ids of what `world` made. Hosts are `alpha.localhost` and `beta.localhost`."""

    alpha: str
    beta: str
    alice: str
    adam: str
    bob: str
    alpha_album: str
    alpha_private: str
    beta_album: str


@pytest.fixture
def world(database: str, request: pytest.FixtureRequest) -> World:
    """Two tenants, a public and a private album for alpha, a public one for beta."""
    made: tuple[object, World] = request.getfixturevalue("populated" if database == "sqlite" else "populated_postgres")
    return made[1]


@pytest.fixture(scope="session")
def populated(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A database file with `world` in it. Made once, since hashing passwords is slow on purpose."""
    folder = tmp_path_factory.mktemp("populated")
    shutil.copyfile(migrated, folder / "vitrine.db")
    return folder / "vitrine.db", populate(load(data_dir=folder))


@pytest.fixture(scope="session")
def populated_postgres(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, World]:
    """The name of a migrated database with `world` in it, to be copied."""
    settings = load(data_dir=tmp_path_factory.mktemp("populated-postgres"), **postgres.urls("vitrine"))
    app = wsgi.create_app(settings)
    with app.app_context():
        upgrade(directory=MIGRATIONS)
    return "vitrine", populate(settings)


def populate(settings: Settings) -> World:
    """Make `world` in the database of `settings`."""
    app = wsgi.core(settings)
    ids: dict[str, str] = {}
    with app.app_context():
        now = ports().clock.now()
        for slug, crowd in (
            ("alpha", (("alice", people.Role.OWNER), ("adam", people.Role.VIEWER))),
            ("beta", (("bob", people.Role.OWNER),)),
        ):
            session = db.session()
            tenant = registry.create(session, slug, slug.title(), now=now)
            site = enter(tenant)
            ids[slug] = tenant.id
            for name, role in crowd:
                member = people.add(site.session, tenant.id, f"{name}@example.com", role, PASSWORD, now=now, name=name)
                ids[name] = member.id
            album = catalog.create_album(
                session, tenant.id, f"{slug} shows", now=now, visibility=catalog.Visibility.PUBLIC
            )
            ids[f"{slug}_album"] = album.id
            if slug == "alpha":
                ids["alpha_private"] = catalog.create_album(session, tenant.id, "alpha secret", now=now).id
            session.commit()
            db.session.remove()
        db.engine.dispose()
    return World(**ids)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis server on a free port, for the whole run."""
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


class ManualClock:
    """A real implementation of the Clock port whose time moves only when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
