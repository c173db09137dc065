"""Attacks by the Host header, byte for byte, on the web fleet as it runs: gunicorn on a real socket."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import gallery
import pytest
from conftest import World
from stack import Stack

import wsgi
from tenants import claims
from tenants.catalog import album_by_id
from tenants.db import db
from tenants.delivery import by_openness
from tenants.scope import open_site

ALPHA, BETA = "<title>Alpha", "<title>Beta"


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World]
) -> Iterator[tuple[Stack, World, str]]:
    """The fleet, whom it serves, and the address of one of alpha's pictures. Alpha has an own domain, an IDN."""
    folder = tmp_path_factory.mktemp("hosts")
    shutil.copyfile(populated[0], folder / "vitrine.db")
    world = populated[1]
    stack = Stack(folder, fleets=("web",))
    app = wsgi.core(stack.settings)
    with app.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        photo = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), filename="1.jpg").id
        claims.vouch(site.session, site.tenant, "münchen.example", "localhost", now=site.now())
        site.session.commit()
        picture = f"/m/{site.generation_token(by_openness(album.id), photo, 1)}/{photo}/1/w320.jpg"
    with app.app_context():
        db.engine.dispose()
    with stack:
        yield stack, world, picture


def ask(stack: Stack, *lines: str, target: str = "/") -> tuple[int, str]:
    """Status and answer to a request with exactly these header lines."""
    head = [f"GET {target} HTTP/1.1", *lines, "Accept: text/html", "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", stack.web_port), timeout=30) as client:
        client.sendall("\r\n".join(head).encode("latin-1"))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer.decode("utf-8", "replace")


Fleet = tuple[Stack, World, str]


@pytest.mark.parametrize(
    "host",
    [
        "alpha.localhost",
        "ALPHA.localhost",
        "alpha.localhost:80",
        "alpha.localhost:",
        "alpha.localhost.",
        "xn--mnchen-3ya.example",
        "XN--MNCHEN-3YA.example.:8443",
    ],
)
def test_spellings_of_alphas_hosts(fleet: Fleet, host: str) -> None:
    status, page = ask(fleet[0], f"Host: {host}")
    assert status == 200
    assert ALPHA in page
    assert BETA not in page


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "gamma.localhost",
        "alpha.localhost.evil.example",
        "evil.example",
        "alpha.localhost:80@evil.example",
        "alpha.localhost, beta.localhost",
        "alpha.localhost beta.localhost",
        "alpha.localhost/",
        "alpha.localhost:80:80",
        "alpha.localhost..",
        "alpha.localhost:9x",
        "a.alpha.localhost",
        "127.0.0.1",
        "[::1]",
        "[::1]:80",
        "m\u00fcnchen.example",
        "xn--mnchen-3ya.example.evil.example",
        "alpha.localhost#",
        "alpha%2elocalhost",
        "\talpha.localhost\x00",
    ],
)
def test_other_hosts_get_nobodys_page(fleet: Fleet, host: str) -> None:
    status, page = ask(fleet[0], f"Host: {host}")
    assert status in (400, 404)
    assert ALPHA not in page
    assert BETA not in page


@pytest.mark.parametrize(
    ("lines", "target"),
    [
        (("Host: alpha.localhost", "Host: beta.localhost"), "/"),
        (("Host: beta.localhost", "Host: alpha.localhost"), "/"),
        (("Host: alpha.localhost", "host : beta.localhost"), "/"),
        (("Host: alpha.localhost",), "http://beta.localhost/"),
        (("Host: beta.localhost",), "HTTP://alpha.localhost/"),
        (("Host: alpha.localhost",), "http://evil.example/"),
        (("Host: alpha.localhost",), "http://alpha.localhost:81/"),
        ((), "http://alpha.localhost/"),
        ((), "/"),
        (("Host:alpha.localhost\r\n beta.localhost",), "/"),
    ],
)
def test_a_request_that_names_two_hosts_or_none_is_refused(fleet: Fleet, lines: tuple[str, ...], target: str) -> None:
    """Or a cache in front that goes by the one would keep the page of the other."""
    status, page = ask(fleet[0], *lines, target=target)
    assert status in (400, 404)
    assert ALPHA not in page
    assert BETA not in page


def test_one_host_named_twice_alike_is_served(fleet: Fleet) -> None:
    status, page = ask(fleet[0], "Host: alpha.localhost", target="http://Alpha.localhost/")
    assert status == 200
    assert ALPHA in page


@pytest.mark.parametrize(
    "line",
    [
        "X-Forwarded-Host: beta.localhost",
        "X-Host: beta.localhost",
        "Forwarded: host=beta.localhost",
        "X_Host: beta.localhost",
        "X-Original-Host: beta.localhost",
        "X-HTTP-Host-Override: beta.localhost",
        "X-Forwarded-Server: beta.localhost",
        "X-Forwarded-Port: 1",
        "X-Original-URL: http://beta.localhost/",
        "X-Rewrite-URL: http://beta.localhost/",
    ],
)
def test_other_headers_change_nothing(fleet: Fleet, line: str) -> None:
    status, page = ask(fleet[0], "Host: alpha.localhost", line)
    assert status == 200
    assert ALPHA in page
    assert "beta.localhost" not in page


def test_no_cache_entry_is_shared(fleet: Fleet) -> None:
    """Of a page the host is part of the cache's key by `Vary` as well; of a picture the address is alpha's own."""
    stack, _, picture = fleet
    for host in ("alpha.localhost", "beta.localhost", "evil.example"):
        _, page = ask(stack, f"Host: {host}")
        head = page.partition("\r\n\r\n")[0].lower()
        assert "host" in head.partition("vary:")[2].partition("\r\n")[0]
        assert "cache-control: private" in head or "no-store" in head
    assert ask(stack, "Host: alpha.localhost", target=picture)[0] == 200
    # The process remembers whose host alpha's is: nobody else's gets it by another spelling.
    for host in ("beta.localhost", "evil.example", "alpha.localhost, beta.localhost", "alpha.localhost:x"):
        assert ask(stack, f"Host: {host}", target=picture)[0] in (400, 404)
    assert ask(stack, "Host: alpha.localhost", target=f"http://beta.localhost{picture}")[0] == 400
    assert ask(stack, "Host: ALPHA.localhost.:81", target=picture)[0] == 200


def test_the_probe_and_the_ask_tell_strangers_nothing(fleet: Fleet) -> None:
    stack, *_ = fleet
    assert ask(stack, "Host: alpha.localhost", target="/.well-known/host-probe/x")[0] == 404
    path = "/.well-known/certificate-ask?domain="
    local = "Host: 127.0.0.1"
    assert ask(stack, local, target=path + "xn--mnchen-3ya.example")[0] == 200
    assert ask(stack, local, target=path + "alpha.localhost")[0] == 200
    assert ask(stack, local, target=path + "upload.localhost")[0] == 200
    for host in ("gamma.localhost", "evil.example", "", "a.alpha.localhost", "alpha.localhost@evil.example"):
        assert ask(stack, local, target=path + host)[0] == 404
    # What a proxy passes on comes from its own address too, and says so.
    for line in ("X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "Via: 1.1 x", "X-Real-IP: 203.0.113.9"):
        assert ask(stack, local, line, target=path + "alpha.localhost")[0] == 404
