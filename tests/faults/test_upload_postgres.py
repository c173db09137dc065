"""The upload server's event loop and PostgreSQL: who waits for the database waits alone."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from conftest import World
from postgres import OWNER
from postgres import Server as Postgres
from sqlalchemy.engine import make_url
from upload_server import BODY, Answer, HttpClient, Server, headers, named, ticket

from infra.settings import Settings

pytestmark = [pytest.mark.faults, pytest.mark.postgres]


@pytest.fixture
def database() -> str:
    return "postgres"


def ask(server: Server, method: str, path: str, sent: dict[str, str], body: bytes = b"") -> Answer:
    client = HttpClient(server.port)
    with closing(client.connection):
        return client(method, path, sent, body)


def test_who_waits_for_a_lock_holds_up_nobody(settings: Settings, world: World, postgres: Postgres) -> None:
    token = ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)
    made = headers(token, Upload_Length=3, Upload_Metadata=named("c.mp4"))
    dsn = postgres.dsn(OWNER, str(make_url(settings.database_url).database))
    patch = {**headers(token, Upload_Offset=0), **BODY}
    with (
        Server(settings.data_dir, VITRINE_DATABASE_URL=settings.database_url) as server,
        psycopg.connect(dsn, options="-c vitrine.across=on") as other,
        ThreadPoolExecutor() as threads,
    ):
        held, free = (ask(server, "POST", "/files/", made).headers["Location"] for _ in range(2))
        other.execute("SELECT * FROM uploads WHERE id = %s FOR UPDATE", (held.rpartition("/")[2],))
        waiting = threads.submit(ask, server, "PATCH", held, patch, b"abc")
        time.sleep(0.5)
        assert ask(server, "PATCH", free, patch, b"abc").headers["Upload-Asset"]
        assert not waiting.done()
        other.rollback()
        assert waiting.result(10).headers["Upload-Asset"]


def test_many_requests_at_once_share_few_connections(settings: Settings, world: World) -> None:
    """More requests than the pool has connections, all new to it: none is refused, none waits for ever."""
    token = ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)
    environment = {
        "VITRINE_DATABASE_URL": settings.database_url,
        "VITRINE_DATABASE_POOL_SIZE": "2",
        "VITRINE_DATABASE_POOL_OVERFLOW": "1",
        "VITRINE_DATABASE_TIMEOUT": "60",  # How long a slow machine makes them wait is not asked here.
    }
    made = headers(token, Upload_Length=3, Upload_Metadata=named("c.mp4"), Content_Length=3) | BODY
    with Server(settings.data_dir, **environment) as server, ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda _: ask(server, "POST", "/files/", made, b"abc"), range(72)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.headers["Upload-Asset"] for answer in answers}) == 72
