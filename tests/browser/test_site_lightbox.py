"""The lightbox, by keyboard, with its addresses, details and way out."""

from collections.abc import Callable
from typing import Any

import gallery
import pytest
from conftest import World
from flask import Flask
from playwright.sync_api import Page, Request, expect

from tenants.catalog import album_by_id
from tenants.scope import open_site

pytestmark = pytest.mark.browser

ALBUM = "/a/alpha-shows"
CAPTURE = {"camera": "Fujifilm X-T5", "exposure": "1/500 s", "private.gps_lat": "59.3293"}
BEFORE_INTERACTION = 60_000
"""Bytes of script that an album page may load before anyone touches it."""


@pytest.fixture
def photos(web: Flask, world: World) -> list[str]:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = True
        ids = gallery.fill(site, album, 4)
        shot = gallery.shot(gallery.sources()[5])
        ids.append(gallery.add_photo(site, album, shot, place=9, caption="Ladybird <b>on</b> a stem", media=CAPTURE).id)
        site.session.commit()
        return ids


def opened(page: Page) -> None:
    """Wait for the opening animation: only then the box listens."""
    expect(page.locator(".pswp__item").nth(2)).to_have_css("display", "block")


@pytest.fixture
def box(page: Page, photos: list[str], served: Any) -> Page:
    """The album with its first photo open."""
    page.goto(served.origin("alpha") + ALBUM)
    page.locator("#grid a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pswp--open")).to_be_visible()
    expect(page).to_have_url(f"{served.origin('alpha')}{ALBUM}/{photos[0]}")
    opened(page)
    return page


def test_the_keyboard_alone_opens_leafs_and_closes(box: Page, photos: list[str], served: Any) -> None:
    box.keyboard.press("ArrowRight")
    expect(box).to_have_url(f"{served.origin('alpha')}{ALBUM}/{photos[1]}")
    expect(box.locator(".pswp__counter")).to_have_text("2 / 5")
    box.keyboard.press("ArrowLeft")
    expect(box).to_have_url(f"{served.origin('alpha')}{ALBUM}/{photos[0]}")
    box.keyboard.press("ArrowRight")
    expect(box.locator(".pswp__counter")).to_have_text("2 / 5")
    box.keyboard.press("Escape")
    expect(box.locator(".pswp")).to_have_count(0)
    expect(box).to_have_url(f"{served.origin('alpha')}{ALBUM}")
    assert box.evaluate("document.activeElement.closest('li').dataset.id") == photos[1]


def test_back_closes_and_reload_shows_the_photos_page(box: Page, photos: list[str], served: Any) -> None:
    box.go_back()
    expect(box.locator(".pswp")).to_have_count(0)
    expect(box).to_have_url(f"{served.origin('alpha')}{ALBUM}")
    box.locator("#grid a").nth(2).click()
    expect(box).to_have_url(f"{served.origin('alpha')}{ALBUM}/{photos[2]}")
    box.reload()
    expect(box.locator(".exhibit img")).to_be_visible()


def test_details_show_capture_data_and_nothing_private(box: Page) -> None:
    for number in range(2, 6):
        box.keyboard.press("ArrowRight")
        expect(box.locator(".pswp__counter")).to_have_text(f"{number} / 5")
    expect(box.locator(".pswp__caption")).to_have_text("Ladybird <b>on</b> a stem")
    box.keyboard.press("i")
    panel = box.get_by_role("region", name="Photo details")
    expect(panel).to_contain_text("Fujifilm X-T5")
    expect(panel).to_contain_text("1/500 s")
    expect(panel.get_by_role("link", name="Download original")).to_be_visible()
    assert "59.3" not in box.content()
    box.keyboard.press("i")
    expect(panel).to_be_hidden()


def test_the_open_box_is_accessible(box: Page, assert_accessible: Callable[[Page], None]) -> None:
    box.keyboard.press("i")
    expect(box.get_by_role("region", name="Photo details")).to_contain_text("Size")
    assert_accessible(box)


def test_the_large_picture_is_in_the_modern_format(box: Page) -> None:
    picture = box.locator(".pswp__item[aria-hidden=false] img.pswp__img:not(.pswp__img--placeholder)")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.currentSrc").endswith(".webp")


def test_little_script_is_loaded_before_anyone_touches_the_page(page: Page, photos: list[str], served: Any) -> None:
    scripts: list[int] = []

    def weigh(request: Request) -> None:
        if request.resource_type == "script":
            scripts.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", weigh)
    page.goto(served.origin("alpha") + ALBUM, wait_until="networkidle")
    assert 0 < sum(scripts) < BEFORE_INTERACTION
    assert len(scripts) >= 1


def test_leafing_past_the_loaded_tiles_brings_the_next_page(
    page: Page, photos: list[str], served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.site.listing.PAGE_SIZE", 2)
    # Without observers nothing is loaded by scrolling.
    page.add_init_script("window.IntersectionObserver = class { observe() {} unobserve() {} }")
    page.goto(served.origin("alpha") + ALBUM)
    expect(page.locator(".tile")).to_have_count(2)
    page.locator("#grid a").nth(1).click()
    counter = page.locator(".pswp__counter")
    expect(counter).to_have_text("2 / 5")
    expect(page.locator(".tile")).to_have_count(5)
    opened(page)
    for number in (3, 4, 5):
        page.keyboard.press("ArrowRight")
        expect(counter).to_have_text(f"{number} / 5")
    expect(page).to_have_url(f"{served.origin('alpha')}{ALBUM}/{photos[-1]}")


def test_a_photos_page_is_leafed_with_the_arrow_keys(page: Page, photos: list[str], served: Any) -> None:
    page.goto(f"{served.origin('alpha')}{ALBUM}/{photos[1]}")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(f"{served.origin('alpha')}{ALBUM}/{photos[2]}")


def test_less_motion_for_who_wants_less(new_page: Callable[..., Page], photos: list[str], served: Any) -> None:
    page = new_page(reduced_motion="reduce")
    page.goto(served.origin("alpha") + ALBUM)
    page.locator("#grid a").first.click()
    expect(page.locator(".pswp--open")).to_be_visible()
    assert page.evaluate("document.getAnimations().filter(a => a.effect.getTiming().duration > 1).length") == 0
