"""Which tenant a request is for, and whose session it brings."""

import sqlite3
import time

import pytest
from conftest import World
from flask import Flask, request

import wsgi
from infra.settings import Settings
from tenants import claims
from tenants.db import db
from tenants.scope import open_site

ALPHA = "http://alpha.localhost"
BETA = "http://beta.localhost"
PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize("host", ["alpha.localhost", "ALPHA.localhost", "alpha.localhost:8000", "alpha.localhost."])
def test_a_slug_below_the_base_domain_is_its_tenant(web: Flask, host: str) -> None:
    answer = web.test_client().get("/", headers={**PAGE, "Host": host})
    assert answer.status_code == 200
    assert "<title>Alpha" in answer.text
    assert "Host" in answer.vary


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "gamma.localhost",
        "alpha.localhost.evil.example",
        "a.alpha.localhost",
        "alpha.localhost:x",
        "",
        "[::1]",
    ],
)
def test_any_other_host_gets_a_neutral_page(web: Flask, host: str) -> None:
    answer = web.test_client().get("/", headers={**PAGE, "Host": host})
    assert answer.status_code in (400, 404)
    assert "Alpha" not in answer.text
    assert "vitrine" not in answer.text.lower()


def test_forwarded_host_headers_are_not_believed(web: Flask) -> None:
    headers = {**PAGE, "X-Forwarded-Host": "beta.localhost", "Forwarded": "host=beta.localhost"}
    assert "<title>Alpha" in web.test_client().get("/", base_url=ALPHA, headers=headers).text


def test_only_a_domain_that_is_held_is_served(web: Flask, world: World) -> None:
    client = web.test_client()
    with web.app_context(), open_site(world.alpha) as site:
        claim = claims.claim(site.session, site.tenant, "photos.example.com", "localhost", now=site.now())
        site.session.commit()
        assert client.get("/", headers={"Host": "photos.example.com"}).status_code == 404
        claims.hold(site.session, claim, site.now())
        site.session.commit()
    assert "<title>Alpha" in client.get("/", headers={**PAGE, "Host": "photos.example.com"}).text


def test_the_load_balancer_may_ask_by_address(web: Flask) -> None:
    assert web.test_client().get("/healthz", headers={"Host": "10.0.0.7:8000"}).text == "ok\n"
    assert web.test_client().get("/", headers={"Host": "10.0.0.7:8000"}).status_code == 404


def test_page_views_do_not_queue_behind_a_writer(web: Flask, settings: Settings) -> None:
    writer = sqlite3.connect(settings.data_dir / "vitrine.db", isolation_level=None)
    try:
        writer.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        for path in ("/", "/a/alpha-shows"):
            assert web.test_client().get(path, base_url=ALPHA, headers=PAGE).status_code == 200
        assert time.monotonic() - started < 10  # A writer's turn is waited for 30 seconds.
    finally:
        writer.close()


def test_trusted_proxies_tell_the_visitors_address_and_never_the_host(settings: Settings, world: World) -> None:
    app = wsgi.make_web(settings.model_copy(update={"proxies": 1}))
    app.add_url_rule("/whoami", "whoami", lambda: f"{request.remote_addr} {request.scheme} {request.host}")
    headers = {
        "X-Forwarded-For": "203.0.113.9, 198.51.100.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "beta.localhost",
    }
    answer = app.test_client().get("/whoami", base_url=ALPHA, headers=headers)
    assert answer.text == "198.51.100.7 https alpha.localhost"
    with app.app_context():
        db.engine.dispose()


def test_without_a_proxy_nobody_speaks_for_the_visitor(web: Flask) -> None:
    web.add_url_rule("/whoami", "whoami", lambda: f"{request.remote_addr} {request.scheme}")
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    assert web.test_client().get("/whoami", base_url=ALPHA, headers=headers).text == "127.0.0.1 http"
