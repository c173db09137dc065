"""Headers that every response carries."""

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from conftest import World
from flask import Flask
from visits import visitor

import wsgi
from infra.settings import Settings
from tenants.db import db


@pytest.mark.parametrize("path", ["/", "/a/alpha-shows", "/nothing"])
def test_security_headers_are_everywhere(web: Flask, path: str) -> None:
    headers = visitor(web).get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "camera=()" in headers["Permissions-Policy"]


def test_the_policy_allows_the_pages_own_style_and_no_inline_script(web: Flask) -> None:
    answer = visitor(web).get("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["default-src"] == "'none'"
    styles = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    hashes = {f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" for style in styles}
    assert styles and set(policy["style-src"].split()) == {"'self'", *hashes}
    assert re.search(r"<script(?![^>]*\ssrc=)", answer.text) is None
    assert " onclick=" not in answer.text


def test_pages_are_for_one_visitor_and_vary_by_host(web: Flask) -> None:
    answer = visitor(web).get("/")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Host" in answer.vary


def test_https_is_remembered_only_where_it_is_used(web: Flask, settings: Settings, world: World) -> None:
    assert "Strict-Transport-Security" not in visitor(web).get("/").headers
    secure = wsgi.make_web(settings.model_copy(update={"scheme": "https"}))
    assert "max-age=" in visitor(secure, "https://alpha.localhost").get("/").headers["Strict-Transport-Security"]
    with secure.app_context():
        db.engine.dispose()


def test_nothing_tells_the_products_name(web: Flask) -> None:
    for path in ("/", "/a/alpha-shows", "/nothing", "/s/nothing"):
        answer = visitor(web).get(path)
        shown = answer.text + str(answer.headers)
        assert "vitrine" not in shown.lower(), path


def test_a_program_gets_a_problem_document_and_a_person_a_page(web: Flask) -> None:
    program = web.test_client().get("/a/none", headers={"Host": "alpha.localhost", "Accept": "application/json"})
    assert program.content_type == "application/problem+json"
    assert program.get_json()["status"] == 404
    page = visitor(web).get("/a/none")
    assert page.content_type.startswith("text/html")
    assert "Go to Alpha" in page.text
    refused = web.test_client().post("/a/none", headers={"Host": "alpha.localhost"})
    assert refused.status_code in (400, 405)
