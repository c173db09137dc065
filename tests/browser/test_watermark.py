"""The watermark's page: the preview follows the form, the progress the work, and visitors see the mark."""

import re
from collections.abc import Callable
from typing import Any

import gallery
import pytest
from conftest import PASSWORD, World
from flask import Flask
from playwright.sync_api import Page, Response, expect
from sqlalchemy import update

from tenants import watermarks
from tenants.catalog import Asset, AssetState, album_by_id
from tenants.scope import open_site

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


def open_page(page: Page, served: Any) -> None:
    page.goto(served.origin("alpha") + "/dashboard/sign-in?next=/dashboard/watermark")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Watermark")


def add_photos(web: Flask, world: World, count: int) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        gallery.fill(site, album, count)
        site.session.commit()


def is_preview(words: str) -> Callable[[Response], bool]:
    return lambda response: "/preview.jpg?" in response.url and words in response.url


def test_a_watermark_is_seen_while_it_is_made_and_then_by_visitors(
    web: Flask, world: World, served: Any, new_page: NewPage, assert_accessible: Callable[[Page], None]
) -> None:
    add_photos(web, world, 2)
    page = new_page(viewport={"width": 1440, "height": 900})
    open_page(page, served)
    preview = page.get_by_role("img", name="Your newest photo")
    expect(preview).to_have_js_property("complete", True)
    assert preview.evaluate("image => image.naturalWidth") == 640
    assert_accessible(page)
    # With the keyboard alone.
    with page.expect_response(is_preview("text=Mira+Vale")) as drawn:
        page.get_by_label("What it says").focus()
        page.keyboard.type("Mira Vale")
    assert drawn.value.status == 200
    with page.expect_response(is_preview("position=tiled")):
        page.get_by_label("All over the picture").focus()
        page.keyboard.press("Space")
    size = page.get_by_role("slider", name="Size")
    with page.expect_response(is_preview("size=31")):
        size.focus()
        page.keyboard.press("ArrowRight")
    expect(page.locator("output[for=size]")).to_have_text("31%")
    expect(preview).to_have_attribute("src", re.compile("size=31"))
    page.get_by_label("Visitors see all pictures").check()
    page.get_by_role("button", name="Save the watermark").click()
    expect(page.get_by_text("The watermark is saved.")).to_be_visible()
    expect(page.get_by_text("0 of 2")).to_be_visible()
    assert_accessible(page)
    guest = new_page(viewport={"width": 390, "height": 800})
    guest.goto(served.origin("alpha") + "/a/alpha-shows")
    expect(guest.get_by_text("Processing")).to_have_count(2)
    assert guest.locator(".tile img").count() == 0
    assert_accessible(guest)
    with web.app_context(), open_site(world.alpha) as site:
        mark = watermarks.of(site)
        assert mark is not None
        site.session.execute(update(Asset).values(mark=mark.digest, state=AssetState.READY))
        site.session.commit()
    expect(page.get_by_text("2 of 2")).to_be_visible()
