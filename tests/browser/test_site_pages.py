"""Pages in a real browser: without scripts, with a keyboard alone, in light and dark, on a phone."""

from collections.abc import Callable
from typing import Any

import gallery
import pytest
from conftest import World
from flask import Flask
from playwright.sync_api import Page, expect
from visits import share_link

from tenants import registry
from tenants.catalog import Album, AssetState, album_by_id
from tenants.db import db
from tenants.scope import Site, open_site

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
ALBUM = "/a/alpha-shows"


def fill_album(
    web: Flask, world: World, count: int = 9, then: Callable[[Site, Album], None] | None = None
) -> list[str]:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        ids = gallery.fill(site, album, count)
        if then:
            then(site, album)
        site.session.commit()
        return ids


def all_loaded(page: Page) -> None:
    page.wait_for_function("[...document.images].every(image => image.loading === 'lazy' || image.naturalWidth > 0)")


def test_an_album_reads_without_scripts(web: Flask, world: World, served: Any, new_page: NewPage) -> None:
    ids = fill_album(web, world)
    page = new_page(java_script_enabled=False)
    page.goto(served.origin("alpha") + "/")
    page.get_by_role("link", name="alpha shows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("alpha shows")
    expect(page.locator("#grid > li")).to_have_count(9)
    page.locator("#grid a").first.click()
    expect(page).to_have_url(f"{served.origin('alpha')}{ALBUM}/{ids[0]}")
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(f"{served.origin('alpha')}{ALBUM}/{ids[1]}")
    page.get_by_role("link", name="Previous").click()
    expect(page.get_by_role("link", name="Previous")).to_have_count(0)


def test_rows_are_justified_and_nothing_moves(web: Flask, world: World, served: Any, page: Page) -> None:
    fill_album(web, world, 11)
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(e => window.shift += e.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.goto(served.origin("alpha") + ALBUM)
    all_loaded(page)
    boxes = page.evaluate(
        "[...document.querySelectorAll('.tile')].map(t => t.getBoundingClientRect())"
        ".map(b => ({top: Math.round(b.top), height: b.height, right: b.right, ratio: b.width / b.height}))"
    )
    rows: dict[int, list[dict[str, float]]] = {}
    for box in boxes:
        rows.setdefault(box["top"], []).append(box)
    full = list(rows.values())[:-1]
    assert len(full) >= 2
    for row in full:
        heights = [box["height"] for box in row]
        assert max(heights) - min(heights) < 1
        assert abs(row[-1]["right"] - 1200) < 10
    last = list(rows.values())[-1]
    tallest = max(box["height"] for row in full for box in row)
    assert all(box["height"] <= tallest for box in last)
    ratios = page.evaluate(
        "[...document.querySelectorAll('.tile img')].map(i => i.getAttribute('width') / i.getAttribute('height'))"
    )
    assert [box["ratio"] for box in boxes] == pytest.approx(ratios, rel=0.02)
    assert page.evaluate("window.shift") < 0.01


def test_the_first_photo_is_asked_for_first_and_late_ones_later(
    web: Flask, world: World, served: Any, page: Page
) -> None:
    fill_album(web, world, 11)
    page.goto(served.origin("alpha") + ALBUM)
    images = page.locator(".tile img")
    assert images.first.get_attribute("fetchpriority") == "high"
    assert images.first.get_attribute("loading") is None
    assert images.last.get_attribute("loading") == "lazy"
    all_loaded(page)
    assert images.first.evaluate("image => image.currentSrc").endswith(".webp")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_pages_are_accessible(
    web: Flask,
    world: World,
    served: Any,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
    complaints: Any,
    scheme: str,
    width: int,
) -> None:
    ids = fill_album(web, world, 5, lambda site, album: (gallery.add_waiting(site, album), None)[1])
    locked = share_link(web, world.alpha, world.alpha_private, password="a long password")
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    for path in ("/", ALBUM, f"{ALBUM}/{ids[0]}", locked, "/nothing"):
        page.goto(served.origin("alpha") + path)
        assert_accessible(page)
    page.goto(served.origin("beta") + "/a/beta-shows")
    assert_accessible(page)
    complaints.forget("404")


@pytest.mark.parametrize("accent", ["#ffff00", "#101010", "#7f7f7f", "#e0115f"])
def test_any_accent_colour_stays_readable(
    web: Flask, world: World, served: Any, new_page: NewPage, assert_accessible: Callable[[Page], None], accent: str
) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        tenant = registry.by_id(site.session, world.alpha)
        assert tenant is not None
        tenant.brand.accent, tenant.brand.theme, tenant.brand.font = accent, registry.Theme.DARK, registry.Font.ROUNDED
        site.session.commit()
    locked = share_link(web, world.alpha, world.alpha_private, password="a long password")
    page = new_page()
    page.goto(served.origin("alpha") + locked)
    assert_accessible(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 22)"
    page.wait_for_function("document.fonts.check('16px Brand')")
    fonts = page.evaluate("performance.getEntriesByType('resource').map(r => r.name).filter(n => n.endsWith('.woff2'))")
    assert len(fonts) == 1 and "nunito" in fonts[0]


def test_a_waiting_tile_turns_into_its_picture(web: Flask, world: World, served: Any, page: Page) -> None:
    made: list[str] = []
    fill_album(
        web, world, 2, lambda site, album: made.extend(gallery.add_waiting(site, album, place=9).id for _ in range(2))
    )
    page.goto(served.origin("alpha") + ALBUM)
    expect(page.locator(".tile-waiting")).to_have_count(2)
    with web.app_context(), open_site(world.alpha) as site:
        gallery.develop(site, made[0], gallery.shot(gallery.sources()[3]))
        failed = site.session.get_one(gallery.Asset, (world.alpha, made[1]))
        failed.state = AssetState.REJECTED
        site.session.commit()
        db.session.remove()
    expect(page.locator(".tile-waiting")).to_have_count(0)
    expect(page.locator(f'.tile[data-id="{made[0]}"] img')).to_be_visible()
    expect(page.locator(".tile")).to_have_count(3)


def test_scrolling_brings_the_next_page(
    web: Flask, world: World, served: Any, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.site.listing.PAGE_SIZE", 4)
    fill_album(web, world, 11)
    page.goto(served.origin("alpha") + ALBUM)
    expect(page.locator(".tile")).to_have_count(11)
    expect(page.locator("#more")).to_have_count(0)
    ids = page.locator(".tile").evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")
    assert len(set(ids)) == 11
