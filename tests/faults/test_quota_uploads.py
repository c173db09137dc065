"""Fifty uploads at once against the last bytes of a quota, over HTTP: never over it, and told before they send."""

import http.client
import json
import selectors
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import func, select
from upload_server import BODY, HttpClient, Server, headers, named, ticket

from infra.settings import Settings
from tenants import quota
from tenants.catalog import Asset
from tenants.quota import QuotaUse
from tenants.scope import open_site

pytestmark = [pytest.mark.faults, pytest.mark.every_database]

AT_ONCE, SIZE, FIT = 50, 1000, 7
LIMIT = SIZE * (FIT + 1) - 1
"""The last of those that do not fit lacks one byte."""


@pytest.fixture
def servers(settings: Settings, core: Flask, world: World) -> Iterator[tuple[Server, Server]]:
    """Two upload servers on one database."""
    with open_site(world.alpha) as site:
        quota.set_limits(site, storage=LIMIT, upload=None, photos=None)
        site.session.commit()
    given = {
        "VITRINE_DATABASE_URL": settings.database_url,
        "VITRINE_DATABASE_OWNER_URL": settings.database_owner_url,
        # A request that waits five seconds for a connection is told 503. All of them queue at one row here.
        "VITRINE_DATABASE_POOL_SIZE": str(AT_ONCE // 2),
    }
    with Server(settings.data_dir, **given) as one, Server(settings.data_dir, **given) as other:
        yield one, other


@pytest.fixture
def bearer(settings: Settings, world: World) -> str:
    return ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)


def counted(world: World) -> tuple[int, int]:
    """What the counter says, and the bytes of all assets."""
    with open_site(world.alpha) as site:
        used = site.session.scalar(select(QuotaUse.used).where(QuotaUse.tenant_id == world.alpha)) or 0
        stored = site.session.scalar(select(func.sum(Asset.size)).where(Asset.tenant_id == world.alpha)) or 0
        site.session.rollback()
    return int(used), int(stored)


def test_as_many_are_taken_as_fit(servers: tuple[Server, Server], bearer: str, world: World) -> None:
    together = threading.Barrier(AT_ONCE)

    def upload(number: int) -> tuple[int, str]:
        client = HttpClient(servers[number % 2].port)
        try:
            announced = headers(bearer, Upload_Length=SIZE, Upload_Metadata=named(f"{number}.jpg"))
            together.wait(60)
            made = client("POST", "/files/", announced)
            if made.status != 201:
                return made.status, json.loads(made.body)["type"]
            body = number.to_bytes(2, "big") * (SIZE // 2)
            sent = client("PATCH", made.headers["Location"], {**headers(bearer, Upload_Offset=0), **BODY}, body)
            return sent.status, ""
        finally:
            client.close()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(upload, range(AT_ONCE)))
    assert [status for status, _ in answers].count(204) == FIT, answers
    refused = [kind for status, kind in answers if status == 413]
    assert len(refused) == AT_ONCE - FIT
    assert all(kind.endswith("over-quota") for kind in refused)
    assert counted(world) == (FIT * SIZE, FIT * SIZE)


def test_who_is_refused_has_not_sent_a_byte_of_the_body(
    servers: tuple[Server, Server], bearer: str, world: World
) -> None:
    """Creation with upload: fifty requests stand there with their headers sent and their bodies still to come."""
    given = {**headers(bearer, Upload_Length=SIZE, Upload_Metadata=named("a.jpg")), **BODY}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**given, "Content-Length": SIZE}.items())
    head = f"POST /files/ HTTP/1.1\r\nHost: upload.test\r\nConnection: close\r\n{lines}\r\n".encode()
    waiting = [socket.create_connection(("127.0.0.1", servers[n % 2].port), timeout=60) for n in range(AT_ONCE)]
    refused: list[socket.socket] = []
    with selectors.DefaultSelector() as selector:
        for connection in waiting:
            connection.sendall(head)
            selector.register(connection, selectors.EVENT_READ)
        while len(refused) < AT_ONCE - FIT:
            ready = selector.select(60)
            assert ready, f"only {len(refused)} were refused"
            for key, _ in ready:
                selector.unregister(key.fileobj)
                refused.append(key.fileobj)  # type: ignore[arg-type]
    assert {status(connection) for connection in refused} == {413}
    taken = [connection for connection in waiting if connection not in refused]
    for connection in taken:
        connection.sendall(b"x" * SIZE)
    assert {status(connection) for connection in taken} == {201}
    for connection in waiting:
        connection.close()
    assert counted(world) == (FIT * SIZE, FIT * SIZE)


def status(connection: socket.socket) -> int:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    answer.close()
    return answer.status
