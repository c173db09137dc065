"""What is logged of requests and jobs: every id that is known, and nothing that opens a door."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import gallery
import pytest
import structlog
from conftest import PASSWORD, World
from flask import Flask
from sqlalchemy import text
from structlog.contextvars import get_contextvars
from upload_server import BODY, AppClient, headers, named, ticket
from visits import ALPHA, give, member, share_link, visitor

import wsgi
from infra import logs
from infra.access_log import request_id_of, safe_request_id
from infra.settings import Settings
from infra.tally import Tally
from processor import jobs
from tenants.catalog import album_by_id
from tenants.db import db
from tenants.delivery import by_openness
from tenants.scope import open_site, ports
from uploader import relay

TRACE = "1-67891233-abcdef012345678912345678"


class Log:
    """What has been logged, as a log collector gets it."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]


@pytest.fixture
def log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """From now on, everything. Apps have to be made before, since each configures logging."""
    stream = io.StringIO()
    server = logging.getLogger("gunicorn.error")  # As gunicorn leaves it when it begins to load the app.
    server.propagate = False
    server.addHandler(logging.NullHandler())
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stream)
        logs.configure("json")
    yield Log(stream)
    logs.configure("text")


def ticket_of(app: Flask, tenant: str, album: str) -> str:
    return ticket(app.config["SECRET_KEY"], tenant, album)


@pytest.fixture
def proxied(settings: Settings, world: World) -> Iterator[Flask]:
    app = wsgi.make_web(settings.model_copy(update={"proxies": 1}))
    yield app
    with app.app_context():
        db.engine.dispose()


def test_a_request_leaves_one_line_with_its_ids(web: Flask, world: World, log: Log) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        asset_id = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0])).id
        site.session.commit()
    answer = visitor(web).get(f"/a/alpha-shows/{asset_id}")
    (line,) = log.events("request")
    assert line["request_id"] == answer.headers["X-Request-Id"]
    known = {name: line[name] for name in ("method", "route", "status", "tenant", "asset", "fleet", "level")}
    assert known == {
        "method": "GET",
        "route": "site.photo",
        "status": 200,
        "tenant": world.alpha,
        "asset": asset_id,
        "fleet": "web",
        "level": "info",
    }
    assert line["milliseconds"] >= 0
    assert get_contextvars() == {}


def test_health_checks_leave_none(web: Flask, upload: Flask, log: Log) -> None:
    for app in (web, upload):
        assert app.test_client().get("/healthz").status_code == 200
        assert app.test_client().get("/readyz").status_code == 200
    assert log.lines == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"HTTP_X_AMZN_TRACE_ID": f"Self=1-x;Root={TRACE};Parent=5"}, TRACE),
        ({"HTTP_X_AMZN_TRACE_ID": f"Root={TRACE}", "HTTP_X_REQUEST_ID": "from-a-client"}, TRACE),
        ({"HTTP_X_REQUEST_ID": "from-nginx"}, "from-nginx"),
        ({"HTTP_X_AMZN_TRACE_ID": "nonsense", "HTTP_X_REQUEST_ID": "new\nline and more"}, ""),
        ({"HTTP_X_REQUEST_ID": "x" * 129}, ""),
        ({}, ""),
    ],
)
def test_ids_of_load_balancers(given: dict[str, str], found: str) -> None:
    assert request_id_of(given) == found


def test_only_a_trusted_proxy_names_the_request(web: Flask, proxied: Flask, log: Log) -> None:
    named_by_client = {"X-Amzn-Trace-Id": f"Root={TRACE}"}
    assert visitor(proxied).get("/", headers=named_by_client).headers["X-Request-Id"] == TRACE
    assert visitor(web).get("/", headers=named_by_client).headers["X-Request-Id"] != TRACE


def test_one_id_leads_from_the_upload_to_the_job(upload: Flask, world: World, log: Log) -> None:
    data = gallery.sources()[0].read_bytes()
    client, token = AppClient(upload), ticket_of(upload, world.alpha, world.alpha_album)
    about = headers(token, Upload_Length=len(data), Upload_Metadata=named("a.jpg"))
    answer = client("POST", "/files/", {**about, **BODY}, data)
    request_id, asset_id = answer.headers["X-Request-Id"], answer.headers["Upload-Asset"]
    (line,) = log.events("request")
    assert (line["tenant"], line["album"], line["route"]) == (world.alpha, world.alpha_album, "tus.create")
    assert answer.headers["Location"].endswith(line["upload"])
    with upload.app_context():
        assert relay.relay_once() == 1
        (message,) = ports().queue.receive(1, visibility=timedelta(minutes=1))
        assert message.body["trace"] == request_id
        jobs.run(world.alpha, asset_id, message.id, message.receives, message.body["trace"])
    (sent,), (ready,) = log.events("message sent"), log.events("ready")
    for line in (sent, ready):
        assert (line["request_id"], line["asset"], line["tenant"]) == (request_id, asset_id, world.alpha)
        assert line["message"] == message.id
    upload.extensions["vitrine.tally"].flush()
    with upload.app_context():
        now = ports().clock.now()
        window = now - timedelta(hours=1), now + timedelta(minutes=1)
        assert ports().metrics.total("upload.bytes", *window, tenant=world.alpha) == len(data)
        assert ports().metrics.total("usage.upload.bytes", *window, tenant=world.alpha) == len(data)


@pytest.mark.parametrize("trace", ["", "x y", "\n" * 20, "x" * 200, None, 5])
def test_a_message_cannot_write_the_log(trace: object) -> None:
    assert safe_request_id(trace) == ""


def test_secrets_never_reach_the_log(
    web: Flask, upload: Flask, world: World, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Share links, media addresses, tickets, passwords: asked for well, badly, too often, with errors on our side."""
    link = share_link(web, world.alpha, world.alpha_private, password="open sesame please")
    share_token = link.rpartition("/")[2]
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        asset_id = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0])).id
        site.session.commit()
        media_token = site.generation_token(by_openness(world.alpha_album), asset_id, 1)
    pass_ = ticket_of(upload, world.alpha, world.alpha_album)
    guest = visitor(web)
    for password in ["wrong password"] * 12 + ["open sesame please"]:
        give(guest, link, password)
    for name in ("w320.jpg", "w321.jpg", "x.html"):
        guest.get(f"/m/{media_token}/{asset_id}/1/{name}")
    sign_in = member(web, world.alpha, world.alice)
    sign_in.post("/dashboard/sign-in", data={"email": "alice@example.com", "password": PASSWORD})
    client = AppClient(upload)
    for token in (pass_, pass_[:-1] + "x"):
        client("POST", "/files/", headers(token, Upload_Length=5, Upload_Metadata=named("a.jpg")))
        client("PATCH", "/files/" + "0" * 26, {**headers(token, Upload_Offset=0), **BODY}, b"12345")

    def broken(*_: object, **__: object) -> None:
        secret_local = media_token  # A traceback must not show it.
        db.session.execute(text("SELECT :secret FROM nowhere"), {"secret": secret_local})

    web.config["PROPAGATE_EXCEPTIONS"] = False
    for endpoint in ("site.media", "site.share"):
        monkeypatch.setitem(web.view_functions, endpoint, broken)
    for path in (link, f"/m/{media_token}/{asset_id}/1/w320.jpg"):
        assert guest.get(path).status_code == 500
    logging.getLogger("gunicorn.error").error("Error handling request %s", link)
    structlog.get_logger().error("odd", header=f"Bearer {pass_}", url=f"https://x/?token={media_token}&a=1")

    assert len(log.events("request failed")) == 2
    assert "nowhere" in log.text and "Error handling request /s/***" in log.text
    for secret in (share_token, media_token, pass_, pass_[-43:], "open sesame", "wrong password", PASSWORD):
        assert secret not in log.text
    assert ALPHA not in log.text


def test_failed_requests_are_counted_by_fleet(web: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("oops")

    web.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setitem(web.view_functions, "site.album", broken)
    for _ in range(3):
        assert visitor(web).get("/a/alpha-shows").status_code == 500
    assert visitor(web).get("/nothing").status_code == 404
    web.extensions["vitrine.tally"].flush()
    with web.app_context():
        now = ports().clock.now()
        assert (
            ports().metrics.total("http.errors", now - timedelta(hours=1), now + timedelta(hours=1), fleet="web") == 3
        )


def test_a_tally_sums_up_and_forgets_nothing_meanwhile(core: Flask) -> None:
    running: list[object] = []
    tally = Tally(ports().metrics, every=3600, run=lambda put: (running.append(put), put())[1])
    for number in range(100):
        tally.add("x", number, unit="Bytes", tenant="a")
    tally.add("x", 5, unit="Bytes", tenant="b")
    tally.flush()
    tally.flush()
    tally.add("x", 1, unit="Bytes", tenant="a")
    tally.flush()
    now = ports().clock.now()
    window = now - timedelta(hours=1), now + timedelta(hours=1)
    assert ports().metrics.total("x", *window, tenant="a") == 4951
    assert ports().metrics.total("x", *window) == 4956
    assert len(running) == 2
    with pytest.raises(ValueError, match="ASCII"):
        tally.add("x", 1, tenant="ü")


class _Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_fails_no_request(
    web: Flask, world: World, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", _Full())
        logs.configure("json")
    assert visitor(web).get("/").status_code == 200


def test_lines_of_many_threads_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "log"
    with written.open("w", buffering=1) as file, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", file)
        logs.configure("json")
        log = structlog.get_logger()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: log.info("line", number=number, text="x" * (number % 300)), range(4000)))
    logs.configure("text")
    lines = [json.loads(line) for line in written.read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == list(range(4000))
