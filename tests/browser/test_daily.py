"""The photographer's day in a real browser: many files at once, the log, visits, the list of albums."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import World
from dashboard_stage import furnish, long_album, shown, sign_in
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from tenants import catalog, search
from tenants.catalog import Asset
from tenants.db import db
from tenants.scope import open_site

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
SHOTS = os.environ.get("VITRINE_SHOTS")
"""A folder for screenshots of what the tests see, for people to look at."""


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}-{page.viewport_size['width']}.png")  # type: ignore[index]


def live(web: Flask, tenant: str, album: str) -> int:
    with web.app_context(), open_site(tenant) as site:
        wanted = select(func.count()).select_from(Asset).where(Asset.album_id == album, Asset.deleted_at.is_(None))
        count = site.session.scalar(wanted) or 0
        db.session.remove()
        return count


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1440, "light")])
def test_what_is_done_with_many_is_asked_accessibly(
    web: Flask,
    world: World,
    served: Any,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
    width: int,
    scheme: str,
) -> None:
    furnish(web, world)
    page = new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    origin, album = served.origin("alpha"), f"/dashboard/albums/{world.alpha_album}"
    sign_in(page, origin)
    page.goto(origin + album)
    page.get_by_role("button", name="Select all").click()
    expect(page.locator("#selection-count")).to_have_text("8 selected")
    assert_accessible(page)
    shot(page, "selected")
    for name, button in (("move", "Move"), ("tag", "Tag"), ("caption", "Caption"), ("turn", "Turn")):
        page.locator("#selection").get_by_role("button", name=button, exact=True).first.click()
        expect(page.locator(f"#bulk-{name}")).to_be_visible()
        assert_accessible(page)
        shot(page, f"bulk-{name}")
        page.keyboard.press("Escape")
    page.goto(f"{origin}/dashboard/trash")
    page.get_by_role("button", name="Empty the trash").click()
    assert_accessible(page)
    shot(page, "trash-empty")


def test_many_are_tagged_moved_and_brought_back(web: Flask, world: World, served: Any, page: Page) -> None:
    ids = furnish(web, world)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    boxes = page.locator(".tile").get_by_role("checkbox")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    bar = page.locator("#selection")
    bar.get_by_role("button", name="Tag", exact=True).click()
    page.locator("#bulk-tags").fill("sea")
    page.locator("#bulk-tag").get_by_role("button", name="Add").click()
    expect(page.locator(".toast")).to_contain_text("3 files are tagged.")
    expect(bar).to_be_hidden()
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    bar.get_by_role("button", name="Move", exact=True).click()
    page.locator("#bulk-title").fill("The best")
    page.locator("#bulk-move").get_by_role("button", name="Move", exact=True).click()
    toast = page.locator(".toast").filter(has_text="3 files are in “The best” now.")
    expect(toast).to_be_visible()
    assert shown(page)[:3] == ids[3:6]
    with page.expect_navigation():
        toast.get_by_role("button", name="Undo").click()
    assert sorted(shown(page))[:3] == sorted(ids)[:3]
    with web.app_context(), open_site(world.alpha) as site:
        found = search.find(
            site.session, world.alpha, search.wanted("#sea"), catalog.Album.id != "", after=None, size=9
        )
        assert set(found[0]) == set(ids[:3])


def test_a_whole_album_is_deleted_and_brought_back_however_long_it_is(
    web: Flask, world: World, served: Any, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page holds a window of the album; what is chosen reaches beyond it."""
    monkeypatch.setattr("webapp.dashboard.queries.ASSETS_A_PAGE", 250)
    ids = long_album(web, world, page, 1000)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    for count in (500, 600):
        page.get_by_role("link", name="Show more").click()
        expect(page.locator(".tile")).to_have_count(count)
    page.get_by_role("link", name="Show more").click()
    expect(page.locator(f"#tile-{ids[999]}")).to_be_attached()
    expect(page.locator(".tile")).to_have_count(600)
    expect(page.get_by_role("link", name="Show more")).to_be_hidden()
    assert shown(page) == ids[400:]
    page.get_by_role("link", name="Show earlier").click()
    expect(page.locator(f"#tile-{ids[150]}")).to_be_attached()
    assert shown(page) == ids[150:750]
    page.get_by_role("button", name="Select all").click()
    expect(page.locator("#selection-count")).to_have_text("1,000 selected")
    page.locator(f"#tile-{ids[200]}").get_by_role("checkbox").click()
    expect(page.locator("#selection-count")).to_have_text("999 selected")
    page.locator("#selection").get_by_role("button", name="Delete").click()
    toast = page.locator(".toast").filter(has_text="999 items are in the trash.")
    expect(toast).to_be_visible()
    assert live(web, world.alpha, world.alpha_album) == 1
    assert shown(page) == [ids[200]]
    with page.expect_navigation():
        toast.get_by_role("button", name="Undo").click()
    assert live(web, world.alpha, world.alpha_album) == 1000


def test_without_scripts_many_are_moved_and_brought_back(
    web: Flask, world: World, served: Any, new_page: NewPage
) -> None:
    furnish(web, world)
    page = new_page(java_script_enabled=False)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    for number in range(3):
        page.locator(".tile").get_by_role("checkbox").nth(number).check()
    page.locator("#selection").get_by_role("button", name="Move", exact=True).first.click()
    page.locator("#bulk-album").select_option(label="alpha secret")
    page.locator("#bulk-move").get_by_role("button", name="Move", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("3 files are in “alpha secret” now.")
    assert live(web, world.alpha, world.alpha_private) == 3
    page.locator(".toast").get_by_role("button", name="Undo").click()
    assert live(web, world.alpha, world.alpha_private) == 0
    page.goto(f"{served.origin('alpha')}/dashboard/trash")
    page.get_by_role("button", name="Empty the trash").click()
    page.get_by_role("button", name="Remove for good").click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()
