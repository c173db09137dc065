"""Messages to PostgreSQL past the driver's cursors. SQLite has no connection to lose."""

from contextlib import closing

import psycopg
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select

from tenants.catalog import Album
from tenants.prepared import TENANT, Asking, Prepared

TITLES = Prepared(select(Album.title).where(Album.tenant_id == TENANT))


@pytest.mark.parametrize("database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_connection_that_is_gone_is_made_again(web: Flask, world: World) -> None:
    asking: Asking = web.extensions["vitrine.asking"]
    assert len(asking.ask(world.alpha, (TITLES, {}))[0]) == 2
    with closing(asking.engine.raw_connection()) as connection:
        driver = connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with pytest.raises(psycopg.OperationalError):
            driver.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert len(asking.ask(world.alpha, (TITLES, {}))[0]) == 2
