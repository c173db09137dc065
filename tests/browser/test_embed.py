"""Albums in frames on other sites' pages, in a real browser: shown where a grant says so, nowhere else."""

from collections.abc import Callable
from typing import Any

import gallery
import pytest
from conftest import PASSWORD, World
from elsewhere import Elsewhere
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import select

from tenants import embeds
from tenants.catalog import Asset, album_by_id
from tenants.scope import open_site

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


@pytest.fixture
def key(web: Flask, world: World, elsewhere: Elsewhere) -> str:
    """Of a grant that lets the shop show alpha's private album."""
    with web.app_context(), open_site(world.alpha) as site:
        for album_id in (world.alpha_private, world.alpha_album):
            album = album_by_id(site.session, world.alpha, album_id)
            assert album is not None
            gallery.fill(site, album, 7)
        private = album_by_id(site.session, world.alpha, world.alpha_private)
        origins = embeds.origins_of(elsewhere.origin("shop"))
        made = embeds.create(site.session, world.alpha, origins, now=site.now(), album=private)
        site.session.commit()
        return made.key


def host_page(script: str, src: str, more: str = "", before: str = "") -> str:
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>A page</title><link rel=icon href='data:,'><body><main><h1>Our gallery</h1>{before}"
        f'<script async src="{script}/embed.js"></script>'
        f'<vitrine-album src="{src}" {more}><a href="{script}/a/alpha-shows">The album</a></vitrine-album></main>'
    )


def test_shown_on_the_second_site_and_refused_on_the_third(
    served: Any, elsewhere: Elsewhere, key: str, page: Page, complaints: Any
) -> None:
    alpha = served.origin("alpha")
    elsewhere.html["shop"] = elsewhere.html["evil"] = host_page(alpha, f"{alpha}/embed/~{key}")
    page.goto(elsewhere.origin("shop"))
    frame = page.frame_locator("vitrine-album iframe")
    expect(frame.get_by_role("heading", name="alpha secret")).to_be_visible()
    expect(frame.locator(".tile")).to_have_count(7)
    expect(page.get_by_role("link", name="The album")).to_be_hidden()
    token_address = page.frames[1].url
    assert "/at/" in token_address
    inner = page.frames[1].evaluate("document.documentElement.getBoundingClientRect().height")
    box = page.locator("vitrine-album iframe").bounding_box()
    assert box is not None and abs(box["height"] - inner) <= 2, "as high as the content"
    frame.locator(".tile a").first.click()
    expect(frame.locator(".exhibit img")).to_be_visible()
    frame.get_by_role("link", name="alpha secret").click()
    expect(frame.locator(".tile")).to_have_count(7)
    assert page.context.cookies() == []

    page.goto(elsewhere.origin("evil"))
    page.locator("vitrine-album iframe").wait_for(state="attached")
    expect(page.get_by_role("link", name="The album")).to_be_visible()
    # A token that was minted for the shop does not help either: the browser looks at frame-ancestors.
    thief = f"<!doctype html><title>x</title><link rel=icon href='data:,'><iframe src='{token_address}'></iframe>"
    elsewhere.html["evil"] = thief
    page.goto(elsewhere.origin("evil"))
    page.frame_locator("iframe").locator("body.neterror").wait_for(state="attached")
    assert page.frames[1].url.startswith("chrome-error:")
    assert any("frame-ancestors" in line for line in complaints.lines)
    for expected in ("X-Frame-Options", "frame-ancestors", "403", "chrome-error"):
        complaints.forget(expected)


def test_a_grant_that_is_switched_off_leaves_the_link(
    web: Flask, world: World, served: Any, elsewhere: Elsewhere, key: str, page: Page, complaints: Any
) -> None:
    alpha = served.origin("alpha")
    elsewhere.html["shop"] = host_page(alpha, f"{alpha}/embed/~{key}")
    page.goto(elsewhere.origin("shop"))
    expect(page.frame_locator("vitrine-album iframe").locator(".tile")).to_have_count(7)
    with web.app_context(), open_site(world.alpha) as site:
        found = embeds.by_key(site.session, key)
        assert found is not None
        found.revoked_at = site.now()
        site.session.commit()
    page.frame_locator("vitrine-album iframe").locator(".tile a").first.click()
    expect(page.frame_locator("vitrine-album iframe").locator(".tile")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("link", name="The album")).to_be_visible()
    for expected in ("X-Frame-Options", "frame-ancestors", "404", "chrome-error"):
        complaints.forget(expected)


def test_an_album_below_the_fold_is_loaded_when_it_comes_near(
    served: Any, elsewhere: Elsewhere, key: str, page: Page
) -> None:
    alpha = served.origin("alpha")
    spacer = "<div style='height:5000px'></div>"
    elsewhere.html["shop"] = host_page(alpha, f"{alpha}/a/alpha-shows", 'photos="3" theme="dark"', spacer)
    page.goto(elsewhere.origin("shop"))
    page.wait_for_function("!!customElements.get('vitrine-album')")
    page.wait_for_timeout(200)
    assert len(page.frames) == 1
    page.get_by_role("link", name="The album").scroll_into_view_if_needed()
    frame = page.frame_locator("vitrine-album iframe")
    expect(frame.locator(".tile")).to_have_count(3)
    expect(frame.locator("body")).to_have_css("background-color", "rgb(18, 20, 22)")
    with page.expect_popup() as popup:
        frame.get_by_role("link", name="Open album").click()
    # Its address is the canonical one, whose port is not that of this test's server.
    assert popup.value.url.endswith("/a/alpha-shows") or "chrome-error" in popup.value.url


def test_messages_of_others_change_nothing(served: Any, elsewhere: Elsewhere, key: str, page: Page) -> None:
    alpha = served.origin("alpha")
    elsewhere.html["shop"] = host_page(alpha, f"{alpha}/a/alpha-shows")
    page.goto(elsewhere.origin("shop"))
    expect(page.frame_locator("vitrine-album iframe").locator(".tile")).to_have_count(7)
    # Only once the frame has said how high it is: until then that changes by itself.
    expect(page.locator("vitrine-album iframe")).to_be_visible()
    before = page.locator("vitrine-album iframe").bounding_box()
    page.evaluate("window.postMessage({type: 'album-height', height: 5}, '*')")
    page.wait_for_timeout(100)
    assert page.locator("vitrine-album iframe").bounding_box() == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_frames_and_the_download_page_are_accessible(
    web: Flask,
    world: World,
    served: Any,
    key: str,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
    scheme: str,
) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = True
        asset_id = site.session.scalars(select(Asset.id).where(Asset.album_id == album.id).limit(1)).one()
        site.session.commit()
    for width in (390, 1200):
        page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
        for path in ("/embed/alpha-shows", f"/embed/alpha-shows/{asset_id}", "/a/alpha-shows/download"):
            page.goto(served.origin("alpha") + path)
            assert_accessible(page)


def test_the_dashboard_page_works_without_scripts_and_is_accessible(
    web: Flask, world: World, served: Any, key: str, new_page: NewPage, assert_accessible: Callable[[Page], None]
) -> None:
    page = new_page(java_script_enabled=False)
    sign_in(page, served)
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_private}/embed")
    page.get_by_label("Websites that may show it").fill("https://blog.example")
    page.get_by_role("button", name="Create embedding").click()
    expect(page.get_by_role("heading", name="https://blog.example")).to_be_visible()
    page.locator(".row-card", has_text="blog.example").get_by_role("button", name="Switch off").click()
    page.get_by_role("button", name="Switch it off").first.click()
    expect(page.get_by_role("heading", name="https://blog.example")).to_have_count(0)
    scripted = new_page()
    sign_in(scripted, served)
    scripted.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_private}/embed")
    assert_accessible(scripted)


def sign_in(page: Page, served: Any) -> None:
    page.goto(served.origin("alpha") + "/dashboard/sign-in")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/dashboard/")
