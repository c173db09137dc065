"""Frames on other sites: which albums, on which pages, until when, and what is counted."""

from datetime import timedelta

import gallery
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select
from visits import BETA, Browser, member, visitor
from werkzeug.test import TestResponse

from infra.errors import Problem
from tenants import embeds
from tenants.catalog import Album, Visibility, album_by_id
from tenants.embeds import EmbedGrant
from tenants.names import new_id
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent
from webapp.assets import DIST, asset_url

SHOP = "https://shop.example"


@pytest.fixture
def photo(web: Flask, world: World) -> str:
    """In alpha's private album."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        made = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), caption="A boat").id
        public = album_by_id(site.session, world.alpha, world.alpha_album)
        assert public is not None
        gallery.add_photo(site, public, gallery.shot(gallery.sources()[1]), caption="<b>Shore</b>")
        site.session.commit()
        return made


def grant(web: Flask, world: World, *, whole: bool = False, origins: str = SHOP) -> str:
    """The key of a new grant for the private album, or the whole site."""
    with web.app_context(), open_site(world.alpha) as site:
        album = None if whole else album_by_id(site.session, world.alpha, world.alpha_private)
        made = embeds.create(site.session, world.alpha, embeds.origins_of(origins), now=site.now(), album=album)
        site.session.commit()
        return made.key


def framed(client: Browser, path: str, page: str = SHOP + "/gallery", dest: str = "iframe") -> TestResponse:
    """As a browser asks for a frame's document."""
    asked = {"Referer": page, "Sec-Fetch-Dest": dest, "Sec-Fetch-Site": "cross-site"}
    return client.get(path, headers={name: value for name, value in asked.items() if value})


def policy(answer: TestResponse) -> str:
    return next(
        part.strip() for part in answer.headers["Content-Security-Policy"].split(";") if "frame-ancestors" in part
    )


def test_an_open_album_may_be_framed_by_anyone(web: Flask, photo: str) -> None:
    answer = framed(visitor(web), "/embed/alpha-shows", "https://anyone.example/")
    assert answer.status_code == 200
    assert policy(answer) == "frame-ancestors *"
    assert "X-Frame-Options" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert 'target="_blank"' in answer.text and "&lt;b&gt;Shore" in answer.text
    assert 'loading="lazy"' in answer.text or answer.text.count("<img") <= 3
    assert policy(visitor(web).get("/a/alpha-shows")) == "frame-ancestors 'none'"


def test_a_private_album_is_framed_by_nobody_not_even_its_owner(web: Flask, world: World, photo: str) -> None:
    for client in (visitor(web), member(web, world.alpha, world.alice)):
        for path in ("", f"/{photo}", f"/{photo}/w320.jpg"):
            answer = client.get(f"/embed/alpha-secret{path}")
            assert answer.status_code == 404
            assert answer.headers["X-Frame-Options"] == "DENY"


def test_a_grant_shows_a_private_album_on_its_sites(web: Flask, world: World, photo: str) -> None:
    client, key = visitor(web), grant(web, world, origins=f"{SHOP} https://Blog.example:8443/")
    gate = framed(client, f"/embed/~{key}?theme=dark")
    assert gate.status_code == 303 and gate.location is not None
    assert gate.headers["Cache-Control"] == "no-store"
    page = framed(client, gate.location)
    assert page.status_code == 200
    assert policy(page) == f"frame-ancestors {SHOP} https://blog.example:8443"
    assert 'data-theme="dark"' in page.text
    assert "/a/alpha-secret" not in page.text, "no page that the visitor could not open is linked"
    inside = page.text.partition(f"/{photo}?")[0].rpartition('href="')[2] + f"/{photo}"
    shown = framed(client, inside, gate.location)
    assert shown.status_code == 200 and "A boat" in shown.text
    assert framed(client, f"/embed/~{key}", "https://blog.example:8443/x").status_code == 303
    assert not any("Set-Cookie" in answer.headers for answer in (gate, page, shown))


@pytest.mark.parametrize(
    ("page", "dest"),
    [
        ("https://evil.example/", "iframe"),
        ("http://shop.example/", "iframe"),
        ("https://shop.example:8443/", "iframe"),
        ("https://shop.example.evil.example/", "iframe"),
        ("https://evil.example/?https://shop.example", "iframe"),
        ("https://shop.example@evil.example/", "iframe"),
        ("", "iframe"),
        ("//[", "iframe"),
        (SHOP + "/", "document"),
        (SHOP + "/", "image"),
    ],
)
def test_other_sites_and_tabs_are_refused(web: Flask, world: World, photo: str, page: str, dest: str) -> None:
    answer = framed(visitor(web), f"/embed/~{grant(web, world)}", page, dest)
    assert answer.status_code == 403
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "secret" not in answer.text


def test_a_browser_that_sends_no_fetch_metadata_is_believed(web: Flask, world: World, photo: str) -> None:
    assert framed(visitor(web), f"/embed/~{grant(web, world)}", dest="").status_code == 303


def test_a_token_ends_after_a_quarter_of_an_hour(web: Flask, world: World, photo: str) -> None:
    client, key = visitor(web), grant(web, world)
    with web.app_context(), open_site(world.alpha) as site:
        found = embeds.by_key(site.session, key)
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert found is not None and album is not None
        key_of_server, past = web.config["SECRET_KEY"], site.now() - embeds.LIFETIME
        old = embeds.mint(key_of_server, found, album, now=past - timedelta(seconds=1))
        fresh = embeds.mint(key_of_server, found, album, now=past + embeds.LIFETIME / 2)
    over = framed(client, f"/embed/~{key}/at/{old}")
    assert over.status_code == 410
    assert policy(over) == f"frame-ancestors {SHOP}"
    assert framed(client, f"/embed/~{key}/at/{fresh}").status_code == 200
    assert framed(client, f"/embed/~{key}/at/{fresh}x").status_code == 404
    assert framed(client, f"/embed/~{key}/at/{fresh}", dest="document").status_code == 403
    other = grant(web, world, whole=True)
    assert framed(client, f"/embed/~{other}/at/{fresh}").status_code == 404


def test_switched_off_means_at_once(web: Flask, world: World, photo: str) -> None:
    client, key = visitor(web), grant(web, world)
    address = framed(client, f"/embed/~{key}").location
    assert address is not None and framed(client, address).status_code == 200
    alice = member(web, world.alpha, world.alice)
    web.config["WTF_CSRF_ENABLED"] = False
    with web.app_context(), open_site(world.alpha) as site:
        grant_id = site.session.scalars(select(EmbedGrant.id)).one()
    base = f"/dashboard/albums/{world.alpha_private}/embed"
    assert alice.post(f"{base}/{grant_id}/off").status_code == 303
    assert framed(client, address).status_code == 404
    assert framed(client, f"/embed/~{key}").status_code == 404
    assert alice.post(f"{base}/{grant_id}/off").status_code == 404


def test_an_album_in_the_trash_is_gone_from_frames(web: Flask, world: World, photo: str) -> None:
    client, key = visitor(web), grant(web, world)
    address = framed(client, f"/embed/~{key}").location
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Album, (world.alpha, world.alpha_private)).deleted_at = site.now()
        site.session.commit()
    assert address is not None
    assert framed(client, address).status_code == 404
    assert framed(client, f"/embed/~{key}").status_code == 404


def test_a_grant_for_the_site_covers_what_is_not_private(web: Flask, world: World, photo: str) -> None:
    client, key = visitor(web), grant(web, world, whole=True)
    address = framed(client, f"/embed/~{key}/alpha-shows").location
    assert address is not None and framed(client, address).status_code == 200
    assert framed(client, f"/embed/~{key}/alpha-secret").status_code == 404
    assert framed(client, f"/embed/~{key}").status_code == 404
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Album, (world.alpha, world.alpha_album)).visibility = Visibility.PRIVATE
        site.session.commit()
    assert framed(client, address).status_code == 404, "made private since"


def test_a_key_is_worth_nothing_at_another_tenants(web: Flask, world: World, photo: str) -> None:
    key = grant(web, world)
    assert framed(visitor(web, BETA), f"/embed/~{key}").status_code == 404
    address = framed(visitor(web), f"/embed/~{key}").location
    assert address is not None and framed(visitor(web, BETA), address).status_code == 404


def test_each_grant_has_its_own_line_of_views(web: Flask, world: World, photo: str) -> None:
    client, first, second = visitor(web), grant(web, world), grant(web, world)
    for key in (first, first, second):
        address = framed(client, f"/embed/~{key}").location
        assert address is not None
        framed(client, address)
    framed(client, f"/embed/~{first}", "https://evil.example/")
    client.head(f"/embed/~{first}", headers={"Referer": SHOP + "/"})
    with web.app_context(), open_site(world.alpha) as site:
        grants = site.session.scalars(select(EmbedGrant).order_by(EmbedGrant.id)).all()
        day = timedelta(days=1)
        seen = embeds.views(site.session, list(grants), site.now() - day, site.now() + day)
        assert [seen[one.id] for one in grants] == [2, 1]
        events = site.session.scalars(select(UsageEvent).where(UsageEvent.meter == Meter.EMBED_VIEWS)).all()
        assert {event.album_id for event in events} == {world.alpha_private}


def test_pictures_for_other_sites_may_be_loaded_there(web: Flask, world: World, photo: str) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        asset = site.session.scalars(select(gallery.Asset).where(gallery.Asset.album_id == world.alpha_album)).one()
        address = f"/embed/alpha-shows/{asset.id}/w640.jpg"
    answer = visitor(web).get(address)
    assert answer.data == gallery.shot(gallery.sources()[1]).renditions["w640.jpg"][0]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert visitor(web).get(address.replace("w640.jpg", "w641.jpg")).status_code == 404
    assert visitor(web).get(address.replace("w640.jpg", "w640.webp")).status_code == 404
    assert visitor(web).get(f"/embed/alpha-shows/{photo}/w640.jpg").status_code == 404
    assert visitor(web).get(f"/embed/alpha-shows/{new_id()}/w640.jpg").status_code == 404


def test_the_script_is_small_and_for_everyone(web: Flask) -> None:
    answer = visitor(web, BETA).get("/embed.js")
    assert len(answer.data) < 10_000
    assert b"vitrine-album" in answer.data and b"sourceMappingURL" not in answer.data
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert visitor(web).get("/embed.js", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert b"import" not in (DIST / asset_url("embed.js").rpartition("/")[2]).read_bytes(), "one file, no chunks"


@pytest.mark.parametrize(
    ("typed", "origins"),
    [
        ("https://www.example.com", ["https://www.example.com"]),
        ("www.example.com", ["https://www.example.com"]),
        ("HTTPS://Example.com:443/\nhttp://example.com:80", ["https://example.com", "http://example.com"]),
        ("https://example.com https://example.com/", ["https://example.com"]),
        ("https://bücher.example", ["https://xn--bcher-kva.example"]),
        ("http://localhost:3000", ["http://localhost:3000"]),
    ],
)
def test_origins_as_people_type_them(typed: str, origins: list[str]) -> None:
    assert embeds.origins_of(typed) == origins


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "*",
        "https://*.example.com",
        "https://example.com/path",
        "https://example.com;script-src",
        "https://user@example.com",
        "https://exa'mple.com",
        "javascript://example.com",
        "https://",
        "https://example.com:99999",
        "https://[::1]",
        "https://example.com?x=1",
        "'self'",
        " ".join(f"https://{n}.example" for n in range(21)),
    ],
)
def test_what_is_no_origin_never_gets_into_a_policy(typed: str) -> None:
    with pytest.raises(Problem) as refused:
        embeds.origins_of(typed)
    assert refused.value.code == "invalid"


def test_the_dashboard_makes_a_grant_and_shows_what_to_copy(web: Flask, world: World, photo: str) -> None:
    alice = member(web, world.alpha, world.alice)
    web.config["WTF_CSRF_ENABLED"] = False
    path = f"/dashboard/albums/{world.alpha_private}/embed"
    refused = alice.post(path, data={"origins": "nonsense/;", "scope": "album"})
    assert refused.status_code == 422 and "is no website" in refused.text
    assert alice.post(path, data={"origins": SHOP, "scope": "album", "label": "The shop"}).status_code == 303
    page = alice.get(path).text
    assert "The shop" in page and "0 views in 30 days" in page
    with web.app_context(), open_site(world.alpha) as site:
        key = site.session.scalars(select(EmbedGrant.key)).one()
    assert page.count(f"/embed/~{key}") >= 2 and "vitrine-album" in page
    assert alice.get(f"/dashboard/albums/{world.alpha_album}/embed").status_code == 200
    assert member(web, world.alpha, world.adam).get(path).status_code == 403
