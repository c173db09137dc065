"""Media: who may have it, in which pieces, and what caches may keep."""

import gallery
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import event
from visits import BETA, PAGE, member, visitor
from werkzeug.test import TestResponse

from tenants.catalog import AssetState, album_by_id
from tenants.db import db
from tenants.delivery import by_openness
from tenants.names import brand_key
from tenants.scope import open_site

ALBUM = "/a/alpha-shows"


@pytest.fixture
def photo(web: Flask, world: World) -> str:
    """The id of a photo, in an album that gives originals away."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = True
        shot = gallery.shot(gallery.sources()[0])
        asset = gallery.add_photo(site, album, shot, filename="Grüße – 1.jpg", original=True)
        site.session.commit()
        return asset.id


@pytest.fixture
def base(web: Flask, world: World, photo: str) -> str:
    with web.app_context(), open_site(world.alpha) as site:
        return f"/m/{site.generation_token(by_openness(world.alpha_album), photo, 1)}/{photo}/1/"


def original(web: Flask) -> bytes:
    return gallery.sources()[0].read_bytes()


def test_a_rendition_is_served_whole_with_what_caches_need(web: Flask, base: str) -> None:
    answer = visitor(web).get(base + "w640.jpg")
    data, content_type, _, _ = gallery.shot(gallery.sources()[0]).renditions["w640.jpg"]
    assert answer.data == data
    assert answer.content_type == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert visitor(web).get(base + "w640.webp").content_type == "image/webp"


@pytest.mark.parametrize("accept", ["image/avif,image/webp,*/*", "image/jpeg", "text/html", "", "image/webp;q=0"])
def test_the_name_says_the_format_and_accept_changes_nothing(web: Flask, base: str, accept: str) -> None:
    """So a cache needs nothing but the address: no browser gets a copy that only another could read."""
    plain = visitor(web).get(base + "w640.jpg")
    asked = visitor(web).get(base + "w640.jpg", headers={"Accept": accept})
    assert (asked.status_code, asked.content_type, asked.data) == (200, plain.content_type, plain.data)
    assert asked.headers["ETag"] == plain.headers["ETag"]
    assert set(asked.vary) == {"Host"}
    signed_in = visitor(web)
    signed_in.set_cookie("__Host-vitrine", "anything", domain="alpha.localhost")
    assert set(signed_in.get(base + "w640.jpg").vary) == {"Host"}


def test_pictures_cost_no_query_once_the_host_is_known(web: Flask, base: str) -> None:
    client = visitor(web)
    client.get(base + "w320.jpg")
    seen: list[object] = []
    with web.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    assert client.get(base + "w640.jpg").status_code == 200
    assert seen == []


def test_conditional_requests_are_answered_with_304(web: Flask, base: str) -> None:
    client = visitor(web)
    first = client.get(base + "w640.jpg")
    again = client.get(base + "w640.jpg", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    since = client.get(base + "w640.jpg", headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert since.status_code == 304
    assert client.get(base + "w640.jpg", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, None),
        ("bytes=-50", -50, None),
        ("bytes=5-5", 5, 6),
        ("bytes=0-999999999", 0, None),
    ],
)
def test_ranges_are_exact(web: Flask, photo: str, asked: str, start: int, stop: int | None) -> None:
    whole = original(web)
    answer = visitor(web).get(f"{ALBUM}/{photo}/original", headers={"Range": asked})
    wanted = whole[start:stop]
    assert answer.data == wanted
    if wanted != whole:
        begin = start % len(whole)
        assert answer.status_code == 206
        assert answer.headers["Content-Range"] == f"bytes {begin}-{begin + len(wanted) - 1}/{len(whole)}"


def test_a_range_beyond_the_end_is_416(web: Flask, photo: str) -> None:
    answer = visitor(web).get(f"{ALBUM}/{photo}/original", headers={"Range": "bytes=999999999-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(original(web))}"


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "lines=1-2", "bytes=x", "bytes=5-2"])
def test_ranges_that_are_not_understood_give_the_whole(web: Flask, photo: str, asked: str) -> None:
    answer = visitor(web).get(f"{ALBUM}/{photo}/original", headers={"Range": asked})
    assert answer.status_code == 200
    assert answer.data == original(web)


def test_a_range_for_an_older_copy_gives_the_whole(web: Flask, photo: str) -> None:
    client, path = visitor(web), f"{ALBUM}/{photo}/original"
    etag = client.head(path).headers["ETag"]
    fresh = client.get(path, headers={"Range": "bytes=0-9", "If-Range": etag})
    assert (fresh.status_code, len(fresh.data)) == (206, 10)
    stale = client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"older"'})
    assert (stale.status_code, len(stale.data)) == (200, len(original(web)))


def test_head_has_the_length_and_no_body(web: Flask, photo: str) -> None:
    answer = visitor(web).head(f"{ALBUM}/{photo}/original")
    assert answer.content_length == len(original(web))
    assert answer.data == b""


def test_an_original_keeps_its_name(web: Flask, photo: str) -> None:
    disposition = visitor(web).get(f"{ALBUM}/{photo}/original").headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=")
    assert "filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%E2%80%93%201.jpg" in disposition


def test_originals_only_where_the_album_gives_them(web: Flask, world: World, photo: str) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = False
        site.session.commit()
    path = f"{ALBUM}/{photo}/original"
    assert visitor(web).get(path).status_code == 404
    assert member(web, world.alpha, world.adam).get(path).status_code == 404
    assert member(web, world.alpha, world.alice).get(path).status_code == 200
    assert "/original" not in visitor(web).get(f"{ALBUM}/{photo}").text


def refused(answer: TestResponse) -> bool:
    return answer.status_code == 404 and answer.content_type.startswith(("application/problem+json", "text/html"))


def test_a_token_opens_its_generation_alone(web: Flask, world: World, photo: str, base: str) -> None:
    client = visitor(web)
    way, token = base.split("/")[2:4]
    assert refused(client.get(f"/m/{way}/{token}/{photo}/2/w640.jpg"))
    assert refused(client.get(f"/m/{way}/{token}/{photo}/0/w640.jpg"))
    assert refused(client.get(f"/m/{way}/{token}/{'0' * 26}/1/w640.jpg"))
    assert refused(client.get(f"/m/{way}/{token[:-1]}x/{photo}/1/w640.jpg"))
    assert refused(client.get(f"/m/{way}/x/{photo}/1/w640.jpg"))
    assert refused(client.get(f"/m/{by_openness(world.alpha_private)}/{token}/{photo}/1/w640.jpg"))
    assert refused(visitor(web, BETA).get(base + "w640.jpg"))
    assert refused(client.get(base + "w641.jpg"))


@pytest.mark.parametrize(
    "name", ["..%2f..%2fo%2fx", "../../secret", "W640.JPG", "w640.html", "w640", "%00.jpg", "a/b/c/d.jpg"]
)
def test_odd_names_are_not_found(web: Flask, base: str, name: str) -> None:
    assert visitor(web).get(base + name).status_code == 404


def test_a_logo_is_served_to_its_tenant_only(web: Flask, world: World) -> None:
    sha256 = "ab" * 32
    with web.app_context(), open_site(world.alpha) as site:
        site.blobs.put(brand_key(world.alpha, sha256), b"a picture", content_type="image/png")
        brand = site.tenant.brand
        brand.logo_sha256, brand.logo_type = sha256, "image/png"
        site.session.commit()
    answer = visitor(web).get(f"/brand/{sha256}")
    assert (answer.data, answer.content_type) == (b"a picture", "image/png")
    assert visitor(web, BETA).get(f"/brand/{sha256}").status_code == 404
    assert visitor(web).get(f"/brand/{'cd' * 32}").status_code == 404
    assert f"/brand/{sha256}" in visitor(web).get("/").text


def test_a_rejected_photo_has_no_page(web: Flask, world: World, photo: str) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(gallery.Asset, (world.alpha, photo)).state = AssetState.REJECTED
        site.session.commit()
    for path in (f"{ALBUM}/{photo}", f"{ALBUM}/{photo}/details", f"{ALBUM}/{photo}/original"):
        assert visitor(web).get(path).status_code == 404


def test_polling_is_cheap_while_nothing_happens(web: Flask, world: World, photo: str) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        waiting = gallery.add_waiting(site, album).id
        site.session.commit()
    client, path = visitor(web), f"{ALBUM}/tiles?ids={waiting},{photo},{'0' * 26},nonsense"
    first = client.get(path, headers={"Accept": "application/json"})
    answer = first.get_json()
    assert answer["waiting"] == {waiting: 0}
    assert list(answer["shown"]) == [photo]
    assert answer["gone"] == ["0" * 26]
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"], **PAGE})
    assert (again.status_code, again.data) == (304, b"")
