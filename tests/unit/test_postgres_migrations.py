"""Migrations on PostgreSQL: they run as the owner, while the previous release serves."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from conftest import MIGRATIONS
from flask import Flask
from flask_migrate import check, downgrade, upgrade
from postgres import OWNER, SERVING, Server
from sqlalchemy import inspect

import wsgi
from infra.settings import load
from tenants.db import db

pytestmark = pytest.mark.postgres


@pytest.fixture
def empty(postgres: Server) -> Iterator[str]:
    """The name of a database without a table."""
    name = postgres.copy("template1")
    yield name
    postgres.drop(name)


@pytest.fixture
def app(postgres: Server, empty: str, tmp_path: Path) -> Iterator[Flask]:
    app = wsgi.create_app(load(data_dir=tmp_path, **postgres.urls(empty)))
    with app.app_context():
        yield app
        db.engine.dispose()


def test_models_and_migrations_agree(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    upgrade(directory=MIGRATIONS)
    check(directory=MIGRATIONS)


def test_migrations_can_be_taken_back(app: Flask) -> None:
    upgrade(directory=MIGRATIONS)
    downgrade(directory=MIGRATIONS, revision="base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]


def test_the_previous_release_serves_until_the_last_step(app: Flask, postgres: Server, empty: str) -> None:
    """It knows one role, the owner, and no SET LOCAL. Row-level security comes in two steps for its sake."""
    upgrade(directory=MIGRATIONS, revision="0001")
    with (
        psycopg.connect(postgres.dsn(OWNER, empty), autocommit=True) as previous,
        psycopg.connect(postgres.dsn(SERVING, empty), autocommit=True) as serving,
    ):
        previous.execute("INSERT INTO tenants VALUES ('t', 'slug', 'name', 'active', now())")
        album = "INSERT INTO albums VALUES ('t', %s, %s, 'x', '', 'public', 'name', false, NULL, now(), now())"
        titles = "SELECT id FROM albums ORDER BY id"
        previous.execute(album, ("1", "1"))
        upgrade(directory=MIGRATIONS, revision="0002")
        previous.execute(album, ("2", "2"))
        assert previous.execute(titles).fetchall() == [("1",), ("2",)]
        assert serving.execute(titles).fetchall() == []
        upgrade(directory=MIGRATIONS, revision="0003")
        assert previous.execute(titles).fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            previous.execute(album, ("3", "3"))


def test_a_migration_does_not_queue_behind_a_long_transaction(app: Flask, postgres: Server, empty: str) -> None:
    """Behind an exclusive lock that waits, every reader of the table would wait as well."""
    upgrade(directory=MIGRATIONS, revision="0001")
    with psycopg.connect(postgres.dsn(SERVING, empty)) as reader:
        reader.execute("SELECT * FROM albums")
        with pytest.raises(Exception, match="lock timeout"):
            upgrade(directory=MIGRATIONS, revision="0002")
    upgrade(directory=MIGRATIONS, revision="0002")
