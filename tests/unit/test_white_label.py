"""No trace of the host anywhere that a visitor looks: every public answer of real servers on a tenant's own domain."""

import http.client
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import gallery
import pytest
from conftest import World
from flask import Flask
from stack import Stack
from visits import share_link, visitor

from infra.settings import Settings
from tenants import claims, cli
from tenants.catalog import album_by_id
from tenants.registry import Layout
from tenants.scope import open_site

DOMAIN = "photos.mira-vale.test"
BASE = "hosting-by-vitrine.test"
TRACES = re.compile(rb"vitrine|hosting-by|gunicorn|werkzeug|flask|python/\d|powered by", re.IGNORECASE)
BROWSER = {"Accept": "text/html,*/*;q=0.8", "Host": DOMAIN}


class Links(HTMLParser):
    """Every address that a page names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if not value:
                continue
            if name in ("href", "src", "poster", "action") or (name.startswith("data-") and value.startswith("/")):
                self.found.add(value)
            elif name == "srcset":
                self.found.update(part.split()[0] for part in value.split(","))


@pytest.fixture
def shown(web: Flask, settings: Settings, world: World) -> Iterator[tuple[Stack, str]]:
    """A web fleet on alpha's own domain, with photos in its album, and the path of a link with a password."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        gallery.fill(site, album, 3)
        site.tenant.brand.css = "h1 { color: red }"
        site.tenant.brand.layout = Layout.STORY
        claims.vouch(site.session, site.tenant, DOMAIN, BASE, now=site.now())
        site.session.commit()
    locked = share_link(web, world.alpha, world.alpha_private, password="a long password")
    environment = {"VITRINE_BASE_DOMAIN": BASE, "VITRINE_SCHEME": "https"}
    with Stack(settings.data_dir, fleets=("web", "upload"), environment=environment) as stack:
        yield stack, locked


Answer = tuple[int, bytes, str, bytes]
"""Status, headers as sent, content type, body."""


def ask(port: int, path: str, *, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={**BROWSER, **headers})
        answer = connection.getresponse()
        head = "\n".join(f"{name}: {value}" for name, value in answer.getheaders()).encode()
        return answer.status, head, answer.headers.get_content_type(), answer.read()
    finally:
        connection.close()


def crawl(port: int, start: list[str]) -> dict[str, Answer]:
    """Everything on the domain that can be reached from `start`, and what stylesheets and scripts name in turn."""
    seen: dict[str, Answer] = {}
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen[path] = answer = ask(port, path)
        waiting += [found for found in named_in(path, answer) if found not in seen]
    return seen


def named_in(path: str, answer: Answer) -> Iterator[str]:
    _, _, kind, body = answer
    found: set[str] = set()
    if kind == "text/html":
        links = Links()
        links.feed(body.decode())
        found = links.found | set(re.findall(r"url\(([^)]+)\)", body.decode()))
    elif kind in ("text/css", "text/javascript"):
        text = body.decode()
        found = set(re.findall(r"url\(\"?([^)\"]+)\"?\)", text)) | set(re.findall(r"\"(\./[^\"]+\.js)\"", text))
        found |= set(re.findall(r"sourceMappingURL=(\S+?)(?:\s|\*/|$)", text))
    elif kind == "application/manifest+json":
        found = set(re.findall(r'"(/[^"]*)"', body.decode()))
    for address in found:
        parts = urlsplit(urljoin(f"https://{DOMAIN}{path}", address))
        if parts.hostname == DOMAIN and parts.scheme == "https":
            yield parts.path + (f"?{parts.query}" if parts.query else "")


def traces(path: str, answer: Answer) -> list[str]:
    """What gives the host away. In pictures and fonts a name could only stand by chance."""
    _, head, kind, body = answer
    text = head if kind.startswith(("image/", "font/", "video/")) else head + b"\n" + body
    return [f"{path}: …{text[max(0, m.start() - 60) : m.end() + 30]!r}" for m in TRACES.finditer(text)]


def test_nothing_that_a_visitor_gets_names_the_host(shown: tuple[Stack, str]) -> None:
    stack, locked = shown
    port = stack.web_port
    start = [
        "/",
        locked,
        "/nothing",
        "/s/nothing",
        "/dashboard/",
        "/robots.txt",
        "/favicon.ico",
        "/card.jpg",
        "/healthz",
    ]
    answers = crawl(port, start)
    kinds = {answer[2] for answer in answers.values()}
    assert {"text/html", "text/css", "text/javascript", "application/manifest+json", "image/webp"} <= kinds
    assert any(path.endswith(".map") for path in answers)
    assert sum(path.startswith("/a/") for path in answers) >= 4
    answers |= {
        "program": ask(port, "/a/none", Accept="application/json"),
        "wrong method": ask(port, "/a/none", method="DELETE"),
        "no token": ask(port, locked, method="POST"),
        "unknown host": ask(port, "/", Host="elsewhere.test"),
        "bad range": ask(port, "/card.jpg", Range="bytes=9999999-"),
        "bad request": ask(port, "/", Host=f"{DOMAIN}\tx"),
        "too long": ask(port, "/" + "a" * 9000),
        "uploads": ask(stack.upload_port, "/files/", method="POST"),
        "uploads, nothing": ask(stack.upload_port, "/files/none", method="HEAD"),
    }
    assert answers["program"][0] == 404 and b'"urn:problem-type:not-found"' in answers["program"][3]
    assert answers["unknown host"][0] == 404
    cookies = [line for _, head, _, _ in answers.values() for line in head.decode().splitlines() if "et-Cookie" in line]
    named = ("Set-Cookie: __Host-session=", "Set-Cookie: __Host-language=")
    assert cookies and all(line.startswith(named) for line in cookies)
    assert [line for path, answer in answers.items() for line in traces(path, answer)] == []


def test_the_credit_is_shown_where_the_plan_says_so(web: Flask, world: World) -> None:
    assert "Powered by" not in visitor(web).get("/").text
    cli.register(web)
    runner = web.test_cli_runner()
    assert runner.invoke(args=["tenants", "credit", "alpha", "on"]).exit_code == 0
    assert '<p class="credit"><a href="http://localhost:8000"' in visitor(web).get("/").text
    assert runner.invoke(args=["tenants", "credit", "alpha", "off"]).exit_code == 0
    assert "Powered by" not in visitor(web).get("/").text
