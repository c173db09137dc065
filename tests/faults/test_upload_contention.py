"""Two servers and one upload, a sleeping holder, a full disk: nothing is mixed up and nothing acknowledged is lost."""

import hashlib
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select, update
from upload_server import BODY, Answer, HttpClient, Server, headers, named, ticket

import wsgi
from infra.settings import Settings
from tenants.catalog import Asset
from tenants.db import across_tenants, db
from tenants.names import original_key
from tenants.scope import open_site
from uploader.session import Upload

pytestmark = pytest.mark.faults

MIB = 1024 * 1024


@pytest.fixture
def token(settings: Settings, world: World) -> str:
    return ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)


@pytest.fixture
def pair(settings: Settings) -> Iterator[tuple[Server, Server]]:
    """Two servers that share nothing but the database and the blob store."""
    url = settings.database_url
    with (
        Server(settings.data_dir, VITRINE_DATABASE_URL=url) as first,
        Server(settings.data_dir, VITRINE_DATABASE_URL=url) as second,
    ):
        yield first, second


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = wsgi.core(settings)
    yield app
    with app.app_context():
        db.engine.dispose()


def send(server: Server, method: str, path: str, sent: dict[str, str], body: bytes = b"") -> Answer:
    client = HttpClient(server.port)
    try:
        return client(method, path, sent, body)
    finally:
        client.connection.close()


def create(server: Server, token: str, length: int) -> str:
    made = send(server, "POST", "/files/", headers(token, Upload_Length=length, Upload_Metadata=named("c.mp4")))
    return made.headers["Location"]


def patch(server: Server, token: str, path: str, offset: int, data: bytes) -> Answer:
    return send(server, "PATCH", path, {**headers(token, Upload_Offset=offset), **BODY}, data)


def offset(server: Server, token: str, path: str) -> int:
    return send(server, "HEAD", path, headers(token)).offset


def stored(app: Flask, world: World) -> tuple[str, bytes]:
    """SHA-256 as recorded and the bytes of the only asset."""
    with app.app_context(), open_site(world.alpha) as site:
        asset = site.session.scalars(select(Asset)).one()
        with site.blobs.open(original_key(world.alpha, asset.id, asset.sha256)) as stream:
            return asset.sha256, stream.read()


@pytest.mark.every_database
def test_of_two_patches_at_once_one_wins(pair: tuple[Server, Server], token: str, app: Flask, world: World) -> None:
    size = 6 * MIB
    path = create(pair[0], token, size)
    bodies = [bytes([number]) * size for number in (1, 2)]
    answers: dict[int, Answer] = {}
    ready = threading.Barrier(2)

    def write(number: int) -> None:
        ready.wait()
        answers[number] = patch(pair[number], token, path, 0, bodies[number])

    writers = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    winner = next(number for number, answer in answers.items() if answer.status == 204)
    assert answers[1 - winner].status in (409, 423)
    sha256, data = stored(app, world)
    assert data == bodies[winner] and sha256 == hashlib.sha256(data).hexdigest()


def test_any_server_continues_any_upload(pair: tuple[Server, Server], token: str, app: Flask, world: World) -> None:
    pieces = [os.urandom(300_000) for _ in range(4)]
    path = create(pair[0], token, sum(map(len, pieces)))
    at = 0
    for turn, piece in enumerate(pieces):
        answer = patch(pair[turn % 2], token, path, at, piece)
        at += len(piece)
        assert answer.offset == at
    sha256, data = stored(app, world)
    assert data == b"".join(pieces) and sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.every_database
def test_a_sleeper_that_wakes_up_writes_to_nothing(
    pair: tuple[Server, Server], token: str, app: Flask, world: World
) -> None:
    """A holder is stopped in the middle of a PATCH, its lease runs out, another server takes over, it wakes up."""
    size = 4 * MIB
    path = create(pair[0], token, size)
    with socket.create_connection(("127.0.0.1", pair[0].port), timeout=20) as sock:
        sent = {**headers(token, Upload_Offset=0, Content_Length=size), **BODY}
        lines = [f"PATCH {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in sent.items())]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + b"A" * MIB)
        acknowledged = wait_for_offset(pair[1], token, path, MIB)
        assert pair[0].process is not None
        workers = psutil.Process(pair[0].process.pid).children()
        for worker in workers:
            worker.send_signal(signal.SIGSTOP)
        sock.sendall(b"A" * MIB)  # Waits in the sleeper's socket.
        assert patch(pair[1], token, path, acknowledged, b"B").status == 423
        run_out(app)
        taken = patch(pair[1], token, path, acknowledged, b"B" * MIB)
        assert taken.offset == 2 * MIB
        for worker in workers:
            worker.send_signal(signal.SIGCONT)
        sock.sendall(b"A" * (2 * MIB))
        assert b" 423 " in sock.recv(64)
    done = patch(pair[1], token, path, 2 * MIB, b"C" * (2 * MIB))
    assert done.headers["Upload-Asset"]
    sha256, data = stored(app, world)
    assert data == b"A" * MIB + b"B" * MIB + b"C" * (2 * MIB)
    assert sha256 == hashlib.sha256(data).hexdigest()


def wait_for_offset(server: Server, token: str, path: str, wanted: int) -> int:
    deadline = time.monotonic() + 20
    while (at := offset(server, token, path)) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return at


def run_out(app: Flask) -> None:
    """Turn the lease's time back, rather than wait for it."""
    with app.app_context(), across_tenants(db.session(), "test") as session:
        session.execute(update(Upload).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
        session.commit()


def test_a_dead_holder_is_followed_at_once(pair: tuple[Server, Server], token: str, app: Flask, world: World) -> None:
    path = create(pair[0], token, 2 * MIB)
    with socket.create_connection(("127.0.0.1", pair[0].port), timeout=20) as sock:
        sent = {**headers(token, Upload_Offset=0, Content_Length=2 * MIB), **BODY}
        lines = [f"PATCH {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in sent.items())]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + b"A" * MIB)
        wait_for_offset(pair[1], token, path, MIB)
        pair[0].kill()
    assert patch(pair[1], token, path, MIB, b"B" * MIB).headers["Upload-Asset"]
    assert stored(app, world)[1] == b"A" * MIB + b"B" * MIB


@pytest.mark.parametrize("first", [MIB, 3 * MIB - 20_000])
def test_a_full_disk_is_507_and_loses_nothing(
    settings: Settings, token: str, app: Flask, world: World, first: int
) -> None:
    """RLIMIT_FSIZE of the running worker plays the full disk: the write fails half-way, as with ENOSPC.

    Once among large buffers, once in the one small piece that a request brings.
    """
    room = 3 * MIB + 17
    data = os.urandom(first + (5 * MIB if first == MIB else 50_000))
    with Server(settings.data_dir) as server:
        path = create(server, token, len(data))
        assert patch(server, token, path, 0, data[:first]).offset == first
        assert server.process is not None
        worker = psutil.Process(server.process.pid).children()[0].pid
        before = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (room, before[1]))
        refused = patch(server, token, path, first, data[first:])
        assert refused.status == 507
        at = offset(server, token, path)
        assert first <= at <= room and refused.offset == at
        resource.prlimit(worker, resource.RLIMIT_FSIZE, before)
        assert patch(server, token, path, at, data[at:]).headers["Upload-Asset"]
    sha256, found = stored(app, world)
    assert found == data and sha256 == hashlib.sha256(data).hexdigest()
