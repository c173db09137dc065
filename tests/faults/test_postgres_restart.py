"""PostgreSQL dies and comes back under load: 503 with Retry-After meanwhile, nothing that was acknowledged is lost."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from conftest import World
from flask import Flask
from postgres import Server as Postgres
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from upload_server import BODY, Answer, HttpClient, Server, headers, named, ticket
from visits import member, visitor

from infra.errors import TYPE_BASE
from infra.ports import Depth
from infra.settings import Settings
from processor.bridge import Bridge
from processor.dispatch import QUEUE, Dispatch, connect
from processor.outage import waited_out
from processor.worker import MediaWorker
from tenants.catalog import Asset
from tenants.db import db
from tenants.names import new_id, original_key
from tenants.outbox import media_job
from tenants.scope import open_site, ports

pytestmark = [pytest.mark.faults, pytest.mark.postgres]

BACK_SECONDS = 10
PIECE = 64 * 1024
SIZE = 40 * PIECE


@pytest.fixture
def database() -> str:
    return "postgres"


@contextmanager
def away(postgres: Postgres) -> Iterator[None]:
    """The server is gone, as after a crash: no connection is told goodbye."""
    postgres.stop(signal.SIGQUIT)
    try:
        yield
    finally:
        postgres.start()


def test_pages_answer_503_and_come_back(web: Flask, world: World, postgres: Postgres) -> None:
    guest, alice = visitor(web), member(web, world.alpha, world.alice)
    pages = [(guest, "/"), (alice, "/dashboard/")]
    for browser, path in pages:
        assert browser.get(path).status_code == 200
    with away(postgres):
        for browser, path in pages:
            page = browser.get(path)
            assert (page.status_code, page.headers["Retry-After"]) == (503, "5"), path
            assert page.mimetype == "text/html" and "try again" in page.text
            document = browser.get(path, headers={"Accept": "application/json"})
            assert document.status_code == 503 and document.json["type"] == TYPE_BASE + "unavailable"
        assert guest.post("/dashboard/sign-in", data={}).status_code in (400, 503)
        assert guest.get("/healthz").status_code == 200, "a new host would not help"
        assert guest.get("/readyz").json == {"ready": False, "checks": {"database": "failed", "blobs": "ok"}}
    for browser, path in pages:
        assert browser.get(path).status_code == 200


@dataclass
class Client:
    """A tus client as they are: it asks for the offset after every refusal and goes on from there."""

    server: Server
    token: str
    data: bytes
    answers: list[Answer] = field(default_factory=list)
    acknowledged: int = 0
    asset: str = ""

    def run(self) -> str:
        """The id of the asset; fails if an acknowledged byte is asked for again."""
        wanted = headers(self.token, Upload_Length=len(self.data), Upload_Metadata=named("c.mp4"))
        path = self._until("POST", "/files/", wanted, 201).headers["Location"]
        while not self.asset:
            piece = self.data[self.acknowledged : self.acknowledged + PIECE]
            answer = self._ask("PATCH", path, {**headers(self.token, Upload_Offset=self.acknowledged), **BODY}, piece)
            if answer.status == 204:
                self._stands_at(answer)
                time.sleep(0.1)  # Long enough to be in the middle when the server dies.
            else:
                time.sleep(0.3)
                self._stands_at(self._until("HEAD", path, headers(self.token), 200))
        return self.asset

    def refusals(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == 503]

    def _stands_at(self, answer: Answer) -> None:
        assert answer.offset >= self.acknowledged
        self.acknowledged = answer.offset
        self.asset = answer.headers.get("Upload-Asset", "")

    def _until(self, method: str, path: str, sent: dict[str, str], status: int) -> Answer:
        deadline = time.monotonic() + 60
        while (answer := self._ask(method, path, sent)).status != status:
            assert time.monotonic() < deadline, answer
            time.sleep(0.3)
        return answer

    def _ask(self, method: str, path: str, sent: dict[str, str], body: bytes = b"") -> Answer:
        client = HttpClient(self.server.port)
        try:
            answer = client(method, path, sent, body)
        finally:
            client.connection.close()
        self.answers.append(answer)
        return answer


def test_the_bridge_waits_it_out(
    core: Flask, settings: Settings, world: World, redis_url: str, postgres: Postgres
) -> None:
    with connect(redis_url) as client:
        client.flushall()
        MediaWorker([QUEUE], connection=client).register_birth()
        bridge = Bridge(ports().queue, Dispatch(client), visibility=5, max_receives=2)

        def run() -> None:
            with core.app_context():
                bridge.run()
                db.session.remove()

        with ThreadPoolExecutor() as threads:
            running = threads.submit(run)
            try:
                with away(postgres):
                    time.sleep(1.5)
                assert not running.done()
                ports().queue.send(media_job(world.alpha, new_id()), group=world.alpha)  # Of an asset that is gone.
                deadline = time.monotonic() + BACK_SECONDS
                while ports().queue.depth() != Depth(0, 0, 0):
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            finally:
                bridge.stop()
            running.result(20)


def test_other_errors_are_not_waited_out(core: Flask) -> None:
    with pytest.raises(ProgrammingError, match="nothing"):
        waited_out(lambda: db.session.execute(text("SELECT nothing")))


def wait_until(fulfilled: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not fulfilled():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_acknowledged_upload_is_lost(web: Flask, settings: Settings, world: World, postgres: Postgres) -> None:
    token = ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)
    environment = {"VITRINE_DATABASE_URL": settings.database_url}
    visits: list[tuple[float, int]] = []
    enough = threading.Event()

    def visit() -> None:
        guest = visitor(web)
        while not enough.is_set():
            visits.append((time.monotonic(), guest.get("/").status_code))
            time.sleep(0.05)

    with Server(settings.data_dir, **environment) as server, ThreadPoolExecutor() as threads:
        clients = [Client(server, token, os.urandom(SIZE)) for _ in range(4)]
        watcher = threads.submit(visit)
        uploads = [threads.submit(client.run) for client in clients]
        try:
            wait_until(lambda: all(client.acknowledged >= 3 * PIECE for client in clients) and visits)
            with away(postgres):
                wait_until(lambda: all(client.refusals() for client in clients) and visits[-1][1] == 503)
            back = time.monotonic()
            assets = [upload.result(60) for upload in uploads]
        finally:
            enough.set()
        watcher.result(10)

    answers = [answer for client in clients for answer in client.answers]
    for client in clients:
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in client.refusals())
    assert {answer.status for answer in answers} <= {200, 201, 204, 503, 423}
    assert {status for _, status in visits} == {200, 503}
    assert min(at for at, status in visits if status == 200 and at > back) < back + BACK_SECONDS
    assert visits[-1][1] == 200
    with web.app_context(), open_site(world.alpha) as site:
        for client, asset_id in zip(clients, assets, strict=True):
            asset = site.session.scalars(select(Asset).where(Asset.id == asset_id)).one()
            assert asset.sha256 == hashlib.sha256(client.data).hexdigest()
            with site.blobs.open(original_key(world.alpha, asset.id, asset.sha256)) as stream:
                assert stream.read() == client.data
