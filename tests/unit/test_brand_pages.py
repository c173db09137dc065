"""The brand in the dashboard and on pages: links, icons, cards, language, layouts, own CSS, the preview."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import gallery
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from PIL import Image
from sqlalchemy import select
from visits import visitor

from infra.sql import reading
from tenants.catalog import Album, Visibility, album_by_id
from tenants.names import cards_prefix
from tenants.registry import Layout
from tenants.scope import Site, open_site

FORM: dict[str, Any] = {
    "name": "Mira Vale",
    "tagline": "Portraits",
    "accent": "#1f6f43",
    "font": "serif",
    "theme": "auto",
    "locale": "en",
    "layout": "masonry",
    "heading_font": "sans",
}


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    with reading(), open_site(world.alpha) as site:
        yield site


def fill(web: Flask, world: World, count: int = 3, **album_fields: object) -> list[str]:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        for name, value in album_fields.items():
            setattr(album, name, value)
        ids = gallery.fill(site, album, count)
        site.session.commit()
        return ids


def square(colour: str, size: int = 600) -> tuple[io.BytesIO, str]:
    made = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(made, "PNG")
    made.seek(0)
    return made, "icon.png"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_everything_chosen_shows_on_the_site(alice: Browser, web: Flask, world: World) -> None:
    fill(web, world)
    chosen = {
        **FORM,
        "paper_light": "#faf6ef",
        "ink_light": "#2a2119",
        "header_links-0-label": "Prints",
        "header_links-0-url": "https://shop.example.com/prints?a=1&b=2",
        "footer_links-3-label": "Imprint",
        "footer_links-3-url": "http://example.com/imprint",
        "css": "h1 { text-transform: uppercase; position: fixed }",
    }
    assert alice.submit("/dashboard/brand", chosen).status_code == 303
    page = visitor(web).get("/a/alpha-shows").text
    assert '<a href="https://shop.example.com/prints?a=1&amp;b=2" rel="noopener">Prints</a>' in page
    assert '<a href="http://example.com/imprint" rel="noopener">Imprint</a>' in page
    assert ".site h1{text-transform:uppercase}" in page
    assert "position" not in page
    assert "--paper-light:#faf6ef;" in page
    assert "--font-heading:BrandHeading" in page
    assert 'lang="en" dir="ltr"' in page
    assert 'data-layout="masonry"' in page
    shown = alice.get("/dashboard/brand").text
    assert "1 part of your CSS is left out" in shown
    assert "position: fixed" in shown and "not among those" in shown
    assert ".site h1" not in alice.get("/dashboard/").text  # The dashboard stays as it is.


def test_the_browser_has_its_wish_until_the_tenant_chooses_a_language(alice: Browser, web: Flask, site: Site) -> None:
    form = alice.get("/dashboard/brand").text
    assert '<option selected value="">As the visitor&#39;s browser asks</option>' in form
    asked = {"Accept-Language": "fr"}
    for chosen, kept, spoken in (("", None, "fr"), ("de", "de", "de"), ("", None, "fr")):
        assert alice.submit("/dashboard/brand", {**FORM, "locale": chosen}).status_code == 303
        site.session.expire_all()
        site.session.rollback()
        assert site.tenant.brand.locale == kept
        assert f'<html lang="{spoken}"' in visitor(web).get("/", headers=asked).text
        manifest = visitor(web).get("/site.webmanifest", headers=asked).json
        assert manifest is not None and manifest.get("lang") == kept


def test_an_album_may_have_a_layout_of_its_own(alice: Browser, web: Flask, world: World, site: Site) -> None:
    fill(web, world)
    path = f"/dashboard/albums/{world.alpha_album}/settings"
    alice.get(path)
    saved = {"title": "alpha shows", "visibility": "public", "ordering": "captured", "layout": "story"}
    assert alice.submit(path, saved).status_code == 303
    assert 'data-layout="story"' in visitor(web).get("/a/alpha-shows").text
    assert alice.submit(path, {**saved, "layout": ""}).status_code == 303
    assert 'data-layout="justified"' in visitor(web).get("/a/alpha-shows").text
    assert alice.submit(path, {**saved, "layout": "spiral"}).status_code == 422


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JAVASCRIPT://example.com/%0aalert(1)",
        "data:text/html,x",
        "//example.com",
        "/imprint",
        "https://",
        "https://user:pass@example.com/",
        "https://example.com/a b",
        "https://example.com\\@evil.example/",
        "https://exa\tmple.com/",
        "ftp://example.com/",
        "https://example.com:99999/",
    ],
)
def test_a_link_leads_to_the_web_or_is_refused(alice: Browser, address: str) -> None:
    refused = alice.submit("/dashboard/brand", {**FORM, "header_links-0-label": "x", "header_links-0-url": address})
    assert refused.status_code == 422
    assert "Write the whole address" in refused.text


def test_half_a_link_and_half_a_pair_are_explained(alice: Browser) -> None:
    for sent, said in (
        ({"footer_links-0-label": "Imprint"}, "Say where the link leads."),
        ({"footer_links-0-url": "https://example.com"}, "Say what the link is called."),
        ({"paper_dark": "#101010"}, "Background and text go together"),
        ({"paper_dark": "black", "ink_dark": "#ffffff"}, "six digits"),
        ({"paper_light": "#ffffff", "ink_light": "#bbbbbb"}, "hard to read"),
        ({"locale": "tlh"}, "Not a valid choice"),
    ):
        refused = alice.submit("/dashboard/brand", {**FORM, **sent})
        assert refused.status_code == 422, sent
        assert said in refused.text, sent


def test_the_suggestion_is_one_click_away_without_scripts(alice: Browser, site: Site) -> None:
    sent = {**FORM, "paper_light": "#ffffff", "ink_light": "#bbbbbb"}
    refused = alice.submit("/dashboard/brand", sent)
    taken = re.search(r'name="take" value="(ink_light:#[0-9a-f]{6})"', refused.text)
    assert taken
    assert alice.submit("/dashboard/brand", {**sent, "take": taken[1]}).status_code == 303
    site.session.rollback()
    assert f"ink_light:{site.tenant.brand.ink_light}" == taken[1]


def test_the_preview_shows_what_is_not_saved_and_saves_nothing(
    alice: Browser, web: Flask, world: World, site: Site
) -> None:
    fill(web, world, 7)
    before = alice.get("/").text
    sent = {**FORM, "name": "Unsaved", "accent": "#ffff00", "css": "h1 { color: red; position: fixed }", "font": "mono"}
    shown = alice.submit("/dashboard/brand/preview", sent)
    assert shown.status_code == 200
    assert "Unsaved" in shown.text and ".site h1{color:red}" in shown.text and 'data-layout="masonry"' in shown.text
    assert shown.text.count('<li class="tile') == 7
    assert '<li data-field="accent">' in shown.text and '<li data-field="css">Line 1: “position: fixed”' in shown.text
    assert "--accent:#ffff00" not in shown.text  # The nearest that can be read is shown instead.
    assert "frame-ancestors 'self'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "<script" not in shown.text
    wrong = alice.submit("/dashboard/brand/preview", {**FORM, "accent": "red", "name": "", "paper_light": "#1"})
    assert wrong.status_code == 200 and "--accent:#3a5a78" in wrong.text
    fresh = r'(nonce|name="csrf-token" content)="[^"]+"'
    assert re.sub(fresh, "", alice.get("/").text) == re.sub(fresh, "", before)
    site.session.rollback()
    assert site.tenant.name == "Alpha"
    # Every other page still refuses to be framed.
    assert "frame-ancestors 'none'" in alice.get("/dashboard/brand").headers["Content-Security-Policy"]


def test_the_preview_of_a_tenant_without_photos_shows_sheets(alice: Browser) -> None:
    assert alice.get("/dashboard/brand/preview").text.count("tile-sheet") == 8


def test_every_site_has_icons_and_a_manifest(alice: Browser, web: Flask) -> None:
    look = visitor(web)
    page = look.get("/").text
    addresses = [address.replace("&amp;", "&") for address in re.findall(r'href="(/brand/icon\.png[^"]+)"', page)]
    manifest = look.get("/site.webmanifest")
    assert manifest.content_type == "application/manifest+json"
    addresses += [icon["src"] for icon in json.loads(manifest.text)["icons"]]
    sizes = []
    for address in addresses:
        answer = look.get(address)
        assert "immutable" in answer.headers["Cache-Control"]
        with opened(answer.data) as image:
            sizes.append(image.size)
    assert sorted(sizes) == [(32, 32), (180, 180), (192, 192), (512, 512)]
    drawn = look.get("/favicon.ico")
    assert drawn.content_type == "image/png"
    with opened(drawn.data) as image:
        assert image.getpixel((16, 1))[:3] == (0x3A, 0x5A, 0x78)  # The accent colour, behind the letter.
    assert look.get("/favicon.ico", headers={"If-None-Match": drawn.headers["ETag"]}).status_code == 304
    assert look.get("/brand/icon.png?size=33").status_code == 404


def test_the_icon_is_the_one_sent_else_the_logo(alice: Browser, web: Flask, site: Site) -> None:
    look = visitor(web)
    logo = io.BytesIO()
    Image.new("RGB", (800, 200), "#aa0000").save(logo, "PNG")
    logo.seek(0)
    assert alice.submit("/dashboard/brand", {**FORM, "logo": (logo, "logo.png")}).status_code == 303
    with opened(look.get("/brand/icon.png?size=180").data) as image:
        middle, corner = (image.convert("RGB").getpixel(at) for at in ((90, 90), (90, 8)))
    assert (middle, corner) == ((0xAA, 0, 0), (255, 255, 255))
    assert alice.submit("/dashboard/brand", {**FORM, "icon": square("#00aa00")}).status_code == 303
    with opened(look.get("/brand/icon.png?size=512").data) as image:
        assert image.convert("RGB").getpixel((5, 5)) == (0, 0xAA, 0)
    wrong = alice.submit("/dashboard/brand", {**FORM, "icon": (io.BytesIO(b"<svg/>"), "icon.svg")})
    assert wrong.status_code == 422 and "no PNG, JPEG or WebP" in wrong.text
    assert alice.submit("/dashboard/brand", {**FORM, "remove_icon": "y"}).status_code == 303
    site.session.rollback()
    assert site.tenant.brand.icon_sha256 is None


def card_of(web: Flask, world: World) -> str:
    with web.test_request_context("/", base_url="http://alpha.localhost"):
        web.preprocess_request()
        from flask import g

        from webapp.site.albums import cards
        from webapp.site.brand import card_url

        album = g.site.session.scalars(select(Album).where(Album.id == world.alpha_album)).one()
        return str(card_url(album, cards([album])[0].cover))


def test_a_card_is_made_once_and_again_when_the_cover_changes(web: Flask, world: World) -> None:
    ids = fill(web, world)
    look = visitor(web)
    first = card_of(web, world)
    answer = look.get(first)
    assert answer.content_type == "image/jpeg" and "immutable" in answer.headers["Cache-Control"]
    with opened(answer.data) as image:
        assert image.size == (1200, 630)
    assert look.get(first).headers["ETag"] == answer.headers["ETag"]
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.cover_id = ids[1]
        site.session.commit()
    second = card_of(web, world)
    assert second != first
    assert look.get(second).data != answer.data
    assert "immutable" not in look.get(first).headers["Cache-Control"]
    with web.app_context(), open_site(world.alpha) as site:
        assert len(list(site.blobs.list(cards_prefix(world.alpha, world.alpha_album)))) == 1


def test_a_card_is_seen_by_whom_the_album_is_seen(alice: Browser, web: Flask, world: World) -> None:
    fill(web, world, visibility=Visibility.PRIVATE)
    assert card_of(web, world) == "None"
    assert visitor(web).get("/a/alpha-shows/card.jpg").status_code == 404
    own = alice.get("/a/alpha-shows/card.jpg")
    assert own.status_code == 200 and own.headers["Cache-Control"].startswith("private")
    home = visitor(web).get("/card.jpg")
    with opened(home.data) as image:  # No public album has a photo: the icon stands on the brand's paper.
        assert image.size == (1200, 630)
        assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


def test_the_sites_own_card_shows_the_newest_public_album(web: Flask, world: World) -> None:
    fill(web, world)
    album = card_of(web, world)
    look = visitor(web)
    assert look.get("/card.jpg").data == look.get(album).data


def test_captions_stand_in_a_story(web: Flask, world: World) -> None:
    ids = fill(web, world, layout=Layout.STORY)
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(gallery.Asset, (world.alpha, ids[0])).caption = "Dawn <b>at</b> the lake"
        site.session.commit()
    page = visitor(web).get("/a/alpha-shows").text
    assert '<p class="tile-caption">Dawn &lt;b&gt;at&lt;/b&gt; the lake</p>' in page
