"""What PostgreSQL is told about whom a transaction serves, and when."""

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError

from infra.sql import reading
from tenants.catalog import Asset
from tenants.db import across_tenants, bind_tenant, db
from tenants.scope import open_site

pytestmark = pytest.mark.postgres


@pytest.fixture
def database() -> str:
    return "postgres"


ALBUMS = text("SELECT tenant_id FROM albums")


def seen() -> set[str]:
    return set(db.session.execute(ALBUMS).scalars())


def test_a_change_of_scope_holds_within_the_transaction(core: Flask, world: World) -> None:
    session = db.session()
    assert seen() == set()
    bind_tenant(session, world.alpha)
    assert seen() == {world.alpha}
    with across_tenants(session, "test"):
        assert seen() == {world.alpha, world.beta}
    assert seen() == {world.alpha}
    bind_tenant(session, world.beta)
    assert seen() == {world.beta}


def test_every_transaction_of_a_session_is_told_anew(core: Flask, world: World) -> None:
    with open_site(world.beta) as site:
        for end in (site.session.commit, site.session.rollback):
            assert seen() == {world.beta}
            end()
        assert seen() == {world.beta}
    assert seen() == set()


def test_an_error_across_tenants_does_not_leave_the_scope_open(core: Flask, world: World) -> None:
    bind_tenant(db.session(), world.beta)
    seen()
    with pytest.raises(LookupError), across_tenants(db.session(), "test"):
        raise LookupError
    assert seen() == {world.beta}
    with pytest.raises(ProgrammingError), across_tenants(db.session(), "test") as session:
        session.execute(text("SELECT nothing"))
    db.session.rollback()
    assert seen() == {world.beta}


def test_a_pooled_connection_carries_no_tenant_to_its_next_user(core: Flask, world: World) -> None:
    with open_site(world.alpha):
        first = db.session.execute(text("SELECT pg_backend_pid()")).scalar()
        assert seen() == {world.alpha}
    with db.engine.connect() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar() == first
        assert connection.execute(ALBUMS).all() == []


def test_readers_cannot_write(core: Flask, world: World) -> None:
    with reading(), open_site(world.alpha) as site:
        assert seen() == {world.alpha}
        with pytest.raises(DBAPIError, match="read-only transaction"):
            site.session.execute(update(Asset).values(caption="x"))
        site.session.rollback()
        with reading(False):
            site.session.execute(update(Asset).values(caption="x"))


def test_the_policies_leave_the_indexes_in_use(core: Flask, world: World) -> None:
    page = (
        "EXPLAIN SELECT id FROM assets WHERE tenant_id = :tenant AND album_id = :album AND deleted_at IS NULL "
        "ORDER BY taken_at, id LIMIT 50"
    )
    with open_site(world.alpha) as site:
        site.session.execute(text("SET LOCAL enable_seqscan = off"))
        keys = {"tenant": world.alpha, "album": world.alpha_album}
        plan = "\n".join(site.session.execute(text(page), keys).scalars())
        assert "ix_assets_captured" in plan
        assert "Sort" not in plan
