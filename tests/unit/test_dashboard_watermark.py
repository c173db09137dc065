"""The watermark's page: what is kept, what is refused, what its preview shows; and what albums and links say of it."""

import io
from typing import Any

import gallery
import numpy as np
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy import select

from infra.sql import reading
from tenants import watermarks
from tenants.catalog import Album
from tenants.mark_layout import Position
from tenants.names import brand_key
from tenants.outbox import Outbox
from tenants.registry import Font, Tenant
from tenants.scope import open_site
from tenants.sharing import ShareLink
from tenants.watermarks import Source, Watermark
from webapp.brand import mark

PAGE = "/dashboard/watermark"
LOOK = {"source": "text", "text": "", "position": "tiled", "size": "30", "opacity": "60"}


@pytest.fixture
def alice(web: Flask, world: World) -> Browser:
    with web.app_context(), open_site(world.alpha) as site:
        album = site.session.get_one(Album, (world.alpha, world.alpha_album))
        gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]))
        site.session.commit()
    browser = Browser(web)
    browser.sign_in("alice")
    browser.get(PAGE)
    return browser


def saved(web: Flask, world: World) -> tuple[Watermark | None, bool, list[Any]]:
    """The mark, what the tenant says of it, and the jobs that wait."""
    with web.app_context(), reading(), open_site(world.alpha) as site:
        found = watermarks.of(site)
        if found is not None:
            site.session.expunge(found)
        marks = site.session.get_one(Tenant, world.alpha).marks
        return found, marks, list(site.session.scalars(select(Outbox.body)))


def png(size: tuple[int, int], colour: tuple[int, int, int, int]) -> bytes:
    made = io.BytesIO()
    Image.new("RGBA", size, colour).save(made, "PNG")
    return made.getvalue()


def test_a_mark_is_saved_and_its_photos_are_asked_for(alice: Browser, web: Flask, world: World) -> None:
    assert alice.submit(PAGE, {**LOOK, "marks": "y"}).status_code == 303
    found, marks, jobs = saved(web, world)
    assert found is not None and marks
    assert (found.source, found.position, found.size, found.opacity) == (Source.TEXT, Position.TILED, 30, 60)
    assert [job["why"] for job in jobs] == ["watermark"]
    page = alice.get(PAGE).text
    assert "0 of 1" in page
    assert alice.get(f"{PAGE}/progress").get_json() == {"done": 0, "of": 1}
    with web.app_context(), open_site(world.alpha) as site:
        with site.blobs.open(brand_key(world.alpha, found.drawn_sha256)) as stored:
            drawn = Image.open(io.BytesIO(stored.read()))
        assert drawn.mode == "RGBA"
        assert drawn.width > 2 * drawn.height  # “© Alpha”
    # The same again asks for nothing more: the photo is under way.
    assert alice.submit(PAGE, {**LOOK, "marks": "y"}).status_code == 303
    assert len(saved(web, world)[2]) == 1
    assert alice.submit(PAGE, LOOK).status_code == 303
    assert saved(web, world)[1] is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": "logo"}, "There is no logo yet"),
        ({"source": "picture"}, "There is no picture yet"),
        ({"text": "写真 by Mira"}, "no “写真”"),
        ({"text": "x" * 61}, "60"),
        ({"size": "4"}, "between 5 and 100"),
        ({"opacity": "101"}, "between 10 and 100"),
        ({"position": "elsewhere"}, "valid choice"),
        ({"picture": (io.BytesIO(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "a.svg")}, "no PNG, JPEG or WebP"),
    ],
)
def test_what_makes_no_mark_is_refused(
    change: dict[str, Any], said: str, alice: Browser, web: Flask, world: World
) -> None:
    answer = alice.submit(PAGE, {**LOOK, "marks": "y", **change})
    assert answer.status_code == 422
    assert said in answer.text
    assert saved(web, world) == (None, False, [])


def test_a_picture_is_kept_and_used_again(alice: Browser, web: Flask, world: World) -> None:
    sent = {**LOOK, "source": "picture", "picture": (io.BytesIO(png((300, 100), (255, 0, 0, 255))), "mark.png")}
    assert alice.submit(PAGE, sent).status_code == 303
    first, _, _ = saved(web, world)
    assert first is not None and first.picture_sha256
    assert 'src="data:image/png;base64,' in alice.get(PAGE).text
    for sha256 in (first.picture_sha256, first.drawn_sha256):
        assert alice.get(f"/brand/{sha256}").status_code == 404, "with it a mark could be taken away"
    assert alice.submit(PAGE, {**LOOK, "source": "picture", "full": "y"}).status_code == 303
    second, _, _ = saved(web, world)
    assert second is not None
    assert second.drawn_sha256 == first.drawn_sha256
    assert second.digest != first.digest, "photos are to be made in full size as well"


def test_a_name_that_the_typefaces_cannot_write_needs_other_words(alice: Browser, web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Tenant, world.alpha).name = "写真館"
        site.session.commit()
    refused = alice.submit(PAGE, LOOK)
    assert refused.status_code == 422
    assert "no “写真館”" in refused.text
    assert alice.get(f"{PAGE}/preview.jpg").status_code == 200
    assert alice.submit(PAGE, {**LOOK, "text": "Shashinkan"}).status_code == 303


def pixels(answer: Any) -> np.ndarray:
    assert answer.content_type == "image/jpeg"
    return np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGB"), int)


def test_the_preview_shows_what_the_query_says_and_keeps_nothing(alice: Browser, web: Flask, world: World) -> None:
    address = f"{PAGE}/preview.jpg?source=text&text=M&position="
    corner, centre = (pixels(alice.get(f"{address}{each}&size=40&opacity=100")) for each in ("corner", "centre"))
    plain = np.asarray(Image.open(io.BytesIO(gallery.shot(gallery.sources()[0]).renditions["w640.jpg"][0])), int)
    assert corner.shape == plain.shape
    height, width, _ = plain.shape
    middle = np.s_[height // 3 : height * 2 // 3, width // 3 : width * 2 // 3]
    assert np.abs(centre - plain)[middle].max() > 60
    assert np.abs(corner - plain)[middle].max() < 30
    assert np.abs(corner - plain)[height // 2 :, width // 2 :].max() > 60
    assert alice.get(f"{address}corner&size=400&opacity=100").status_code == 422
    assert saved(web, world)[0] is None


def test_without_scripts_a_button_shows_the_form_in_the_preview(alice: Browser, web: Flask, world: World) -> None:
    shown = alice.submit(PAGE, {**LOOK, "text": "Mira Vale", "preview": "1"})
    assert shown.status_code == 200
    assert "text=Mira+Vale" in shown.text
    assert saved(web, world)[0] is None


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(max_codepoint=0x24F, exclude_categories=["C", "Zl", "Zp"]), max_size=60))
def test_words_that_the_typefaces_have_become_a_picture(text: str) -> None:
    assert not set(mark.unknown(text)) & set("abcdefghijklmnopqrstuvwxyzÄÖÜäöüß©0123456789 ")
    if mark.unknown(text):
        return
    drawn = Image.open(io.BytesIO(mark.words(text, Font.SANS)))
    assert drawn.mode == "RGBA"
    assert 1 <= drawn.width <= mark.BOX[0]
    assert 1 <= drawn.height <= mark.BOX[1]


def test_albums_and_links_may_differ_once_there_is_a_mark(alice: Browser, web: Flask, world: World) -> None:
    of_album = f"/dashboard/albums/{world.alpha_album}/settings"
    album = {"title": "alpha shows", "visibility": "public", "ordering": "captured", "marks": "yes"}
    share = f"/dashboard/albums/{world.alpha_album}/share"
    link = {"rights": "view", "lifetime": "0", "marks": "yes"}
    for address, form in ((of_album, album), (share, link)):
        refused = alice.submit(address, form)
        assert refused.status_code == 422
        assert "There is no watermark yet" in refused.text
    assert alice.submit(PAGE, LOOK).status_code == 303
    assert saved(web, world)[2] == [], "nobody sees it yet"
    assert alice.submit(share, link).status_code == 303
    assert len(saved(web, world)[2]) == 1, "whoever has the link does"
    assert alice.submit(of_album, album).status_code == 303
    with web.app_context(), reading(), open_site(world.alpha) as site:
        assert site.session.get_one(Album, (world.alpha, world.alpha_album)).marks is True
        made = site.session.scalars(select(ShareLink)).one()
        assert made.marks is True
        link_id = made.id
    assert "With the watermark" in alice.get(share).text
    assert alice.submit(f"{share}/{link_id}", {**link, "marks": "no"}).status_code == 303
    assert "Without the watermark" in alice.get(share).text


def test_only_admins_make_it(web: Flask, world: World) -> None:
    adam = Browser(web)
    adam.sign_in("adam")
    for path in (PAGE, f"{PAGE}/preview.jpg", f"{PAGE}/progress"):
        assert adam.get(path).status_code == 403
    assert adam.post(PAGE, LOOK).status_code == 403
