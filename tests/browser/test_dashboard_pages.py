"""The dashboard by keyboard and mouse, and without scripts. Its pages in all their states: test_tour.py."""

from collections.abc import Callable
from typing import Any

import gallery
import pytest
from conftest import World
from dashboard_stage import furnish, shown, sign_in
from flask import Flask
from playwright.sync_api import Page, expect

from tenants.catalog import Asset
from tenants.scope import open_site

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


def test_selecting_by_keyboard_and_mouse(web: Flask, world: World, served: Any, page: Page) -> None:
    furnish(web, world)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    count = page.locator("#selection-count")
    boxes = page.locator(".tile").get_by_role("checkbox")
    boxes.first.focus()
    page.keyboard.press("Space")
    expect(count).to_have_text("1 selected")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(count).to_have_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    # One tab stop for the grid: from a tile's box and link, Tab leads out of it.
    boxes.nth(1).focus()
    assert page.locator('.tile input[tabindex="0"]').count() == 1
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(count).to_have_text("4 selected")
    page.locator(".tile-picture").nth(5).click()
    expect(count).to_have_text("5 selected")
    page.keyboard.press("Control+a")
    expect(count).to_have_text("8 selected")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#selection")).to_be_hidden()


def test_arranging_by_mouse_buttons_and_keys(web: Flask, world: World, served: Any, page: Page) -> None:
    furnish(web, world, manual=True)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    ids = shown(page)
    tiles = page.locator(".tile")

    def settled(expected: list[str]) -> None:
        with page.expect_response(lambda response: response.url.endswith("/move")) as moved:
            yield_to_page()
        assert moved.value.ok
        assert shown(page) == expected

    # Dragging one of two selected tiles takes both along, in their order.
    tiles.nth(0).get_by_role("checkbox").check(force=True)
    tiles.nth(2).get_by_role("checkbox").check(force=True)
    yield_to_page = lambda: tiles.nth(0).drag_to(tiles.nth(4), source_position={"x": 60, "y": 90})  # noqa: E731
    settled([ids[1], ids[3], ids[4], ids[0], ids[2], *ids[5:]])
    yield_to_page = lambda: page.get_by_role("button", name="To start").click()  # noqa: E731
    settled([ids[0], ids[2], ids[1], ids[3], ids[4], *ids[5:]])
    page.get_by_role("button", name="Clear").click()
    tiles.nth(0).get_by_role("link").focus()
    yield_to_page = lambda: page.keyboard.press("Alt+End")  # noqa: E731
    settled([ids[2], ids[1], ids[3], ids[4], *ids[5:], ids[0]])
    page.reload()
    assert shown(page) == [ids[2], ids[1], ids[3], ids[4], *ids[5:], ids[0]]


def test_a_caption_and_the_cover_are_set_in_the_dialog(web: Flask, world: World, served: Any, page: Page) -> None:
    ids = furnish(web, world)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    page.locator(".tile").nth(1).get_by_role("link").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Caption").fill("Dew in the morning")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".tile-name").nth(1)).to_have_text("Dew in the morning")
    dialog.get_by_role("button", name="Make cover").click()
    expect(page.locator(f"#tile-{ids[1]}")).to_contain_text("Cover")
    expect(page.locator(f"#tile-{ids[1]} input")).to_be_focused()
    page.reload()
    expect(page.locator(f"#tile-{ids[1]}")).to_contain_text("Cover")
    expect(page.get_by_role("checkbox", name="Select Dew in the morning")).to_be_attached()


def test_plain_forms_do_it_without_scripts(web: Flask, world: World, served: Any, new_page: NewPage) -> None:
    ids = furnish(web, world)
    page = sign_in(new_page(java_script_enabled=False), served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    assert "Uploading needs JavaScript" in page.content()
    page.locator(f"#tile-{ids[0]} input").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("is in the trash.")).to_be_visible()
    expect(page.locator(f"#tile-{ids[0]}")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(f"#tile-{ids[0]}")).to_have_count(1)
    page.locator('.tile[data-state="rejected"]').get_by_role("button", name="Remove").click()
    expect(page.locator('.tile[data-state="rejected"]')).to_have_count(0)
    page.get_by_role("button", name="Arrange by hand").click()
    expect(page.get_by_text("You arrange this album by hand now.")).to_be_visible()


def test_a_waiting_tile_turns_into_a_picture(web: Flask, world: World, served: Any, page: Page) -> None:
    furnish(web, world)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    waiting = page.locator('.tile[data-state="processing"]')
    expect(waiting).to_have_count(1)
    asset_id = waiting.get_attribute("data-id")
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Asset, (world.alpha, asset_id)).progress = 60
        site.session.commit()
    expect(waiting.locator("progress")).to_have_js_property("value", 60)
    with web.app_context(), open_site(world.alpha) as site:
        gallery.develop(site, str(asset_id), gallery.shot(gallery.sources()[0]))
        site.session.commit()
    expect(page.locator(f"#tile-{asset_id} img")).to_be_visible()
    expect(page.locator("#counts")).to_have_text("7 photos")
