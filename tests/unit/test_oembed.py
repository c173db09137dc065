"""oEmbed 1.0, page previews and structured data; read by a consumer from PyPI on a custom domain as well."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import gallery
import pytest
import requests
from conftest import World, free_port
from flask import Flask
from pyoembed import oEmbed
from visits import ALPHA, member, visitor
from werkzeug.serving import make_server

import wsgi
from infra.settings import Settings
from processor.task import Facts, Made
from tenants import claims
from tenants.catalog import Kind, Visibility, album_by_id
from tenants.db import db
from tenants.scope import open_site
from tenants.scope import settings as settings_of

ALBUM = f"{ALPHA}/a/alpha-shows"


@pytest.fixture
def ids(web: Flask, world: World, tmp_path: Path) -> list[str]:
    """A photo and a film of the public album, a photo of the private one."""
    with web.app_context(), open_site(world.alpha) as site:
        public = album_by_id(site.session, world.alpha, world.alpha_album)
        private = album_by_id(site.session, world.alpha, world.alpha_private)
        assert public is not None and private is not None
        shot = gallery.shot(gallery.sources()[0], 1.5)
        photo = gallery.add_photo(
            site, public, shot, caption="Shore </script> & “sea”", media={"private.gps": "48.1,11.5", "camera": "X100"}
        )
        poster = tmp_path / "w640.jpg"
        poster.write_bytes(shot.renditions["w640.jpg"][0])
        film = gallery.add_film(
            site,
            public,
            {"w640.jpg": (poster, Made("w640.jpg", poster, "image/jpeg", 640, 360))},
            Facts(Kind.VIDEO, "video/mp4", 1920, 1080, duration=75.2),
        )
        secret = gallery.add_photo(site, private, shot)
        site.session.commit()
        return [photo.id, film.id, secret.id]


def ask(web: Flask, url: str, **more: Any) -> Any:
    return visitor(web).get("/oembed", query_string={"url": url, **more}, headers={"Accept": "*/*"})


def test_an_album_is_rich(web: Flask, ids: list[str]) -> None:
    answer = ask(web, ALBUM)
    assert answer.content_type == "application/json"
    found = answer.get_json()
    assert (found["type"], found["version"], found["title"]) == ("rich", "1.0", "alpha shows")
    assert (found["provider_name"], found["cache_age"]) == ("Alpha", 3600)
    assert found["html"].startswith(f'<iframe src="{settings_url(web)}/embed/alpha-shows"')
    assert (found["width"], found["height"]) == (800, 600)
    assert found["thumbnail_width"] <= 640
    assert "Set-Cookie" not in answer.headers


def settings_url(web: Flask) -> str:
    with web.app_context():
        return settings_of().site_url("alpha.localhost")


def test_a_photo_is_a_photo_and_a_film_a_video(web: Flask, ids: list[str]) -> None:
    photo = ask(web, f"{ALBUM}/{ids[0]}").get_json()
    assert (photo["type"], photo["width"], photo["height"]) == ("photo", 640, 427)
    assert photo["url"].endswith(f"/embed/alpha-shows/{ids[0]}/w640.jpg")
    assert visitor(web).get(photo["url"].partition("8000")[2]).status_code == 200
    film = ask(web, f"{ALBUM}/{ids[1]}").get_json()
    assert (film["type"], film["width"], film["height"]) == ("video", 1280, 720)
    assert f"/embed/alpha-shows/{ids[1]}&#34;" in film["html"] or f'/embed/alpha-shows/{ids[1]}"' in film["html"]


@pytest.mark.parametrize("bounds", [{"maxwidth": 400}, {"maxheight": 100}, {"maxwidth": 100, "maxheight": 900}])
def test_bounds_are_kept_by_everything(web: Flask, ids: list[str], bounds: dict[str, int]) -> None:
    for url in (ALBUM, f"{ALBUM}/{ids[0]}", f"{ALBUM}/{ids[1]}"):
        found = ask(web, url, **bounds).get_json()
        for side in ("width", "height"):
            most = bounds.get(f"max{side}", 10**6)
            assert 0 < found[side] <= most and found.get(f"thumbnail_{side}", 1) <= most
    narrow = ask(web, f"{ALBUM}/{ids[0]}", maxwidth=400).get_json()
    assert narrow["url"].endswith("/w320.jpg"), "no larger file than is shown"


def test_xml_says_the_same(web: Flask, ids: list[str]) -> None:
    answer = ask(web, f"{ALBUM}/{ids[0]}", format="xml")
    assert answer.content_type == "text/xml; charset=utf-8"
    read = {child.tag: child.text for child in ET.fromstring(answer.data)}  # noqa: S314 (our own)
    assert read == {name: str(value) for name, value in ask(web, f"{ALBUM}/{ids[0]}").get_json().items()}


@pytest.mark.parametrize(
    ("url", "more", "status"),
    [
        (f"{ALPHA}/a/alpha-secret", {}, 401),
        (f"{ALPHA}/a/nothing", {}, 404),
        (f"{ALBUM}/{'0' * 26}", {}, 404),
        (f"{ALPHA}/", {}, 404),
        (f"{ALPHA}/dashboard/", {}, 404),
        ("http://beta.localhost/a/beta-shows", {}, 404),
        ("http://example.com/a/alpha-shows", {}, 404),
        ("ftp://alpha.localhost/a/alpha-shows", {}, 404),
        ("http://alpha.localhost@example.com/a/alpha-shows", {}, 404),
        ("http://[/a/alpha-shows", {}, 404),
        (f"{ALPHA}/embed/~nothing", {}, 404),
        ("", {}, 400),
        (ALBUM, {"format": "yaml"}, 501),
        (ALBUM, {"maxwidth": "wide"}, 400),
        (ALBUM, {"maxwidth": "0"}, 400),
    ],
)
def test_what_cannot_be_embedded(web: Flask, ids: list[str], url: str, more: dict[str, str], status: int) -> None:
    answer = ask(web, url, **more)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"


def test_hosts_are_taken_as_requests_write_them(web: Flask, ids: list[str]) -> None:
    assert ask(web, "https://ALPHA.localhost:8000/a/alpha-shows?x=1#top").status_code == 200


def test_pages_tell_what_they_are(web: Flask, ids: list[str]) -> None:
    for path, kind in (("", "ImageGallery"), (f"/{ids[0]}", "ImageObject"), (f"/{ids[1]}", "VideoObject")):
        page = visitor(web).get(f"/a/alpha-shows{path}").text
        address = f"{settings_url(web)}/a/alpha-shows{path}"
        assert f'<link rel="canonical" href="{address}">' in page
        for media_type in ("application/json+oembed", "text/xml+oembed"):
            (link,) = re.findall(f'type="{re.escape(media_type)}" href="([^"]+)"', page)
            told = visitor(web).get(unescape(link).partition("8000")[2])
            assert told.status_code == 200
        (image,) = re.findall('property="og:image" content="([^"]+)"', page)
        assert visitor(web).get(image.partition("8000")[2]).content_type == "image/jpeg"
        assert 'name="twitter:card" content="summary_large_image"' in page
        (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
        data = json.loads(block)
        assert (data["@type"], data["url"]) == (kind, address)
        assert "48.1" not in page and "gps" not in page.lower()
    gallery_data = data_of(visitor(web).get("/a/alpha-shows").text)
    assert {media["@type"] for media in gallery_data["associatedMedia"]} == {"ImageObject", "VideoObject"}
    film = data_of(visitor(web).get(f"/a/alpha-shows/{ids[1]}").text)
    assert film["duration"] == "PT1M15S" and film["uploadDate"]
    photo = data_of(visitor(web).get(f"/a/alpha-shows/{ids[0]}").text)
    assert photo["name"] == "Shore </script> & “sea”"


def data_of(page: str) -> Any:
    return json.loads(page.partition('<script type="application/ld+json">')[2].partition("</script>")[0])


def test_private_pages_tell_nothing(web: Flask, world: World, ids: list[str]) -> None:
    alice = member(web, world.alpha, world.alice)
    for path in ("/a/alpha-secret", f"/a/alpha-secret/{ids[2]}"):
        page = alice.get(path).text
        assert "oembed" not in page and "og:image" not in page and "ld+json" not in page


def test_robots_and_sitemap_name_public_albums_alone(web: Flask, world: World, ids: list[str]) -> None:
    told = visitor(web).get("/robots.txt").text
    assert f"Sitemap: {settings_url(web)}/sitemap.xml" in told and "Disallow: /dashboard/" in told
    places = re.findall("<loc>([^<]+)</loc>", visitor(web).get("/sitemap.xml").text)
    assert places == [f"{settings_url(web)}/", f"{settings_url(web)}/a/alpha-shows"]
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.visibility = Visibility.UNLISTED
        site.session.commit()
    assert "alpha-shows" not in visitor(web).get("/sitemap.xml").text


CUSTOM = "photos.studio.example"


@pytest.fixture
def custom(settings: Settings, world: World, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The origin of a real server under a custom domain, which names resolve to here."""
    port = free_port()
    app = wsgi.make_web(settings.model_copy(update={"web_port": port}))
    with app.app_context(), open_site(world.alpha) as site:
        claims.vouch(site.session, site.tenant, CUSTOM, "localhost", now=site.now())
        site.session.commit()
    real: Callable[..., Any] = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1" if host == CUSTOM else host, *rest, **more)
    )
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{CUSTOM}:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        with app.app_context():
            db.engine.dispose()


@pytest.mark.filterwarnings("ignore")
def test_a_consumer_from_pypi_discovers_and_renders_on_a_custom_domain(custom: str, ids: list[str]) -> None:
    """pyoembed: it reads the page, follows the discovery link, and checks the answer against the specification."""
    album = oEmbed(f"{custom}/a/alpha-shows", maxwidth=500)
    assert (album["type"], album["title"], album["width"]) == ("rich", "alpha shows", 500)
    (frame,) = re.findall('src="([^"]+)"', album["html"])
    assert frame == f"{custom}/embed/alpha-shows"
    shown = requests.get(frame, timeout=30)
    assert shown.status_code == 200 and "frame-ancestors *" in shown.headers["Content-Security-Policy"]
    photo = oEmbed(f"{custom}/a/alpha-shows/{ids[0]}")
    assert photo["type"] == "photo" and photo["url"].startswith(custom)
    assert oEmbed(f"{custom}/a/alpha-shows/{ids[1]}")["type"] == "video"
