"""A brand changes: live in the preview, then for visitors. The four layouts hold still, with and without scripts."""

from collections.abc import Callable
from typing import Any

import gallery
import pytest
from conftest import PASSWORD, World
from flask import Flask
from playwright.sync_api import FrameLocator, Page, expect

from tenants import registry
from tenants.catalog import album_by_id
from tenants.registry import Layout
from tenants.scope import open_site

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
ALBUM = "/a/alpha-shows"
SHIFT = """
window.shift = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries())
    // A footer that gives way to more tiles is not what holds still.
    if (entry.sources.some(({node}) => node?.nodeType === 1 && node.closest('.tile'))) window.shift += entry.value;
}).observe({type: 'layout-shift', buffered: true});
"""
BOXES = """[...document.querySelectorAll('#grid > .tile')].map(tile => {
  const box = tile.querySelector('a').getBoundingClientRect();
  const r = parseFloat(getComputedStyle(tile).getPropertyValue('--r'));
  return {x: box.x, y: box.y + scrollY, width: box.width, height: box.height, r};
})"""


def fill(web: Flask, world: World, count: int, layout: Layout, **brand: object) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        for number, asset_id in enumerate(gallery.fill(site, album, count)):
            site.session.get_one(gallery.Asset, (world.alpha, asset_id)).caption = f"Caption {number}"
        tenant = registry.by_id(site.session, world.alpha)
        assert tenant is not None
        tenant.brand.layout = layout
        for name, value in brand.items():
            setattr(tenant.brand, name, value)
        site.session.commit()


def open_brand(page: Page, served: Any) -> FrameLocator:
    page.goto(served.origin("alpha") + "/dashboard/sign-in?next=/dashboard/brand")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Brand")
    return page.frame_locator("#brand-frame")


def colour_of(page: Page, selector: str, what: str) -> Any:
    return page.eval_on_selector(selector, f"element => getComputedStyle(element).{what}")


def test_a_brand_changes_live_and_then_for_visitors(
    web: Flask, world: World, served: Any, new_page: NewPage, assert_accessible: Callable[[Page], None]
) -> None:
    fill(web, world, 7, Layout.JUSTIFIED)
    page = new_page(viewport={"width": 1440, "height": 900})
    preview = open_brand(page, served)
    expect(preview.locator("#grid")).to_have_attribute("data-layout", "justified")
    assert_accessible(page)
    # With the keyboard alone.
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Mira Vale")
    expect(preview.locator(".mark")).to_have_text("Mira Vale")
    page.get_by_label("Masonry columns").focus()
    page.keyboard.press("Space")
    expect(preview.locator("#grid")).to_have_attribute("data-layout", "masonry")
    page.get_by_role("button", name="Linen").press("Enter")
    expect(preview.locator("body")).to_have_css("background-color", "rgb(250, 246, 239)")
    page.get_by_label("Text", exact=True).first.fill("#d0c8c0")
    expect(page.locator("#ink_light-note")).to_contain_text("hard to read")
    page.get_by_label("Text", exact=True).first.fill("#3a2d22")
    expect(page.locator("#ink_light-note")).to_be_empty()
    expect(preview.locator("body")).to_have_css("color", "rgb(58, 45, 34)")
    page.get_by_role("textbox", name="Your own CSS").fill("h1 { text-transform: uppercase; position: fixed }")
    expect(preview.locator("h1")).to_have_css("text-transform", "uppercase")
    expect(page.locator("#css-note")).to_contain_text("“position: fixed” is left out")
    page.get_by_label("Header, label 1").fill("Prints")
    page.get_by_label("Header, address 1").fill("https://example.com/prints")
    expect(preview.get_by_role("link", name="Prints")).to_be_visible()
    page.get_by_role("button", name="Phone").click()
    expect(page.locator("#brand-frame")).to_have_css("max-width", "390px")
    assert_accessible(page)

    visitor = new_page()
    visitor.goto(served.origin("alpha") + ALBUM)
    expect(visitor.locator(".mark")).to_have_text("Alpha")  # Nothing is saved yet.
    page.get_by_role("button", name="Save the brand").last.click()
    expect(page.get_by_text("The brand is saved.")).to_be_visible()
    visitor.reload()
    expect(visitor.locator(".mark")).to_have_text("Mira Vale")
    expect(visitor.locator("#grid")).to_have_attribute("data-layout", "masonry")
    assert colour_of(visitor, "body", "backgroundColor") == "rgb(250, 246, 239)"
    assert colour_of(visitor, "h1", "textTransform") == "uppercase"
    assert colour_of(visitor, "h1", "position") == "static"
    expect(visitor.get_by_role("link", name="Prints")).to_have_attribute("href", "https://example.com/prints")
    assert_accessible(visitor)


def test_the_form_previews_and_saves_without_scripts(web: Flask, world: World, served: Any, new_page: NewPage) -> None:
    fill(web, world, 7, Layout.JUSTIFIED)
    page = new_page(java_script_enabled=False, viewport={"width": 1440, "height": 900})
    preview = open_brand(page, served)
    page.get_by_label("Name", exact=True).fill("Mira Vale")
    page.get_by_label("Story, one after another").check()
    page.get_by_role("button", name="Show in the preview").click()
    expect(preview.locator(".mark")).to_have_text("Mira Vale")
    expect(preview.locator("#grid")).to_have_attribute("data-layout", "story")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Mira Vale")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_text("The brand is saved.")).to_be_visible()
    page.goto(served.origin("alpha") + ALBUM)
    expect(page.locator(".mark")).to_have_text("Mira Vale")


@pytest.mark.parametrize("layout", Layout)
def test_a_layout_holds_still_while_it_loads_and_grows(
    web: Flask, world: World, served: Any, page: Page, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.site.listing.PAGE_SIZE", 9)
    fill(web, world, 26, layout)
    page.add_init_script(SHIFT)
    page.goto(served.origin("alpha") + ALBUM)
    first = page.evaluate(BOXES)
    while page.locator("#more").count():
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(50)
    expect(page.locator("#grid > .tile")).to_have_count(26)
    page.locator("#grid > .tile").last.scroll_into_view_if_needed()
    expect(page.locator("#grid > .tile img").last).to_have_js_property("complete", True)
    boxes = page.evaluate(BOXES)
    if layout is not Layout.JUSTIFIED:  # There the last row of a page is filled up by the next.
        assert same(boxes[: len(first)], first)
        assert page.evaluate("window.shift") < 0.01
    for box in boxes:
        shape = box["width"] / box["height"]
        wanted = 1.0 if layout is Layout.GRID else box["r"]
        assert shape == pytest.approx(wanted, rel=0.05 if layout is Layout.MASONRY else 0.02)
        assert box["width"] <= 1200
    assert all(not overlap(one, other) for at, one in enumerate(boxes) for other in boxes[:at])
    tops = [round(box["y"]) for box in boxes]
    assert tops == sorted(tops)  # Read from the top, they are in the album's order.


def same(some: list[dict[str, float]], others: list[dict[str, float]]) -> bool:
    return all(one == pytest.approx(other, abs=1) for one, other in zip(some, others, strict=True))


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    across = one["x"] + one["width"] > other["x"] + 0.5 and other["x"] + other["width"] > one["x"] + 0.5
    down = one["y"] + one["height"] > other["y"] + 0.5 and other["y"] + other["height"] > one["y"] + 0.5
    return across and down


@pytest.mark.parametrize("layout", Layout)
def test_a_layout_is_accessible_and_reads_from_either_side(
    web: Flask,
    world: World,
    served: Any,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
    layout: Layout,
) -> None:
    fill(web, world, 7, layout, paper_light="#faf6ef", ink_light="#2a2119", paper_dark="#1c1814", ink_dark="#f3ebe0")
    for width, scheme in ((390, "dark"), (1440, "light")):
        page = new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        page.goto(served.origin("alpha") + ALBUM)
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        left = page.evaluate(BOXES)
        page.evaluate("document.documentElement.dir = 'rtl'")
        right = page.evaluate(BOXES)
        assert len(left) == len(right) == 7
        inner = page.evaluate("document.documentElement.clientWidth")
        for one, other in zip(left, right, strict=True):
            assert other["x"] + other["width"] == pytest.approx(inner - one["x"], abs=1.5)
    plain = new_page(java_script_enabled=False)
    plain.goto(served.origin("alpha") + ALBUM)
    expect(plain.locator("#grid > .tile")).to_have_count(7)
    if layout is Layout.STORY:
        expect(plain.get_by_text("Caption 3", exact=True)).to_be_visible()
    plain.locator("#grid a").nth(2).click()
    expect(plain.locator(".exhibit img")).to_be_visible()


def test_css_that_got_into_the_database_runs_nothing(web: Flask, world: World, served: Any, new_page: NewPage) -> None:
    """Whatever is stored, by an earlier release or another way: pages read it through the same sieve."""
    fill(web, world, 2, Layout.GRID, css="</style><script>window.ran = 1</script><style>.site h1 { color: red }")
    page = new_page()
    page.goto(served.origin("alpha") + ALBUM)
    assert page.evaluate("window.ran === undefined && document.querySelectorAll('main script').length === 0")
    assert colour_of(page, "h1", "color") != "rgb(255, 0, 0)"
