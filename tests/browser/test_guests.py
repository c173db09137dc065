"""Guests in a real browser: in by a link, favourites and selections by keyboard, own photos, and no script runs."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gallery
import pytest
from conftest import PASSWORD, World, free_port
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import select
from upload_server import Server
from visits import share_link

from infra.settings import Settings, load
from infra.sql import reading
from tenants import guests, proofing
from tenants.catalog import Asset, album_by_id
from tenants.news import News, NewsKind, tell
from tenants.proofing import Selection
from tenants.scope import open_site
from tenants.sharing import GUEST_RIGHTS, Rights, ShareLink

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
ALBUM = "/a/alpha-secret"
NATURE = Path("/usr/share/backgrounds/mate/nature")
HOSTILE = """"><img src=x onerror="window.ran=1"><script>window.ran=1</script>'{{7*7}}"""


@pytest.fixture
def settings(tmp_path: Path, populated: tuple[Path, World]) -> Iterator[Settings]:
    """With an upload host on a port that is known beforehand."""
    shutil.copyfile(populated[0], tmp_path / "vitrine.db")
    yield load(data_dir=tmp_path, upload_port=free_port())


@pytest.fixture
def photos(web: Flask, world: World) -> list[str]:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        ids = gallery.fill(site, album, 6)
        site.session.commit()
        return ids


def link(web: Flask, world: World, **terms: Any) -> str:
    return share_link(
        web, world.alpha, world.alpha_private, **{"rights": Rights.DOWNLOAD | GUEST_RIGHTS, "label": "Family", **terms}
    )


def sign_in(page: Page, origin: str) -> Page:
    page.goto(f"{origin}/dashboard/sign-in")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()
    return page


def test_in_by_password_chosen_by_keyboard_and_out_when_revoked(
    web: Flask,
    world: World,
    photos: list[str],
    served: Any,
    page: Page,
    complaints: Any,
    assert_accessible: Callable[[Page], None],
) -> None:
    origin = served.origin("alpha")
    path = link(web, world, password="open sesame please", asks_name=True, choose_at_most=1)
    page.goto(origin + path)
    assert_accessible(page)
    page.get_by_label("Your name").fill("Zoe")
    page.get_by_label("Password").fill("open sesame please")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("alpha secret")

    hearts = page.get_by_role("button", name="Favourite: ")
    for number in (0, 1):
        hearts.nth(number).focus()
        page.keyboard.press("Space")
        expect(hearts.nth(number)).to_have_attribute("aria-pressed", "true")
        expect(page.locator("[data-hearts]")).to_have_text(str(number + 1))
    assert_accessible(page)

    page.locator("#grid a").nth(2).focus()
    page.keyboard.press("Enter")
    # Only after its opening animation the box listens to keys.
    expect(page.locator(".pswp__item").nth(2)).to_have_css("display", "block")
    page.keyboard.press("f")
    expect(page.locator(".pswp__button--heart")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("[data-hearts]")).to_have_text("3")

    page.get_by_role("link", name="Favourites 3").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox")).to_have_count(3)
    assert_accessible(page)
    for number in (0, 1):
        page.get_by_role("checkbox").nth(number).focus()
        page.keyboard.press("Space")
    expect(page.get_by_text("1 of 1 chosen")).to_be_visible()
    page.get_by_label("Name of the selection").fill("For the wall")
    page.get_by_role("button", name="Hand in").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Handed in")
    expect(page.get_by_role("button", name="Hand in")).to_have_count(0)
    assert_accessible(page)

    with web.app_context(), open_site(world.alpha) as site:
        assert site.session.scalars(select(Selection)).one().submitted_at is not None
        site.session.scalars(select(ShareLink)).one().revoked_at = site.now()
        site.session.commit()
    assert page.goto(origin + path).status == 410  # type: ignore[union-attr]
    assert page.goto(origin + ALBUM).status == 404  # type: ignore[union-attr]
    complaints.forget("status of 410")
    complaints.forget("status of 404")


def test_hearts_and_comments_without_scripts(
    web: Flask, world: World, photos: list[str], served: Any, new_page: NewPage
) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(served.origin("alpha") + link(web, world))
    page.get_by_role("button", name="Favourite: Photo IMG_2").click()
    expect(page.get_by_role("button", name="Favourite: Photo IMG_2")).to_have_attribute("aria-pressed", "true")
    page.goto(f"{served.origin('alpha')}{ALBUM}/{photos[0]}")
    page.get_by_role("button", name="Favourite: Photo IMG_1").click()
    expect(page).to_have_url(f"{served.origin('alpha')}{ALBUM}/{photos[0]}")
    page.get_by_label("Write a comment").fill("What a day!")
    page.get_by_role("button", name="Post comment").click()
    expect(page.locator(".comment-text")).to_have_text("What a day!")
    page.goto(served.origin("alpha") + f"{ALBUM}/add")
    assert "Uploading needs JavaScript" in page.content()  # Chromium without scripts still hides `noscript`.
    expect(page.get_by_text("Choose photos and videos")).to_be_hidden()


def test_what_a_guest_adds_is_seen_once_it_is_approved(
    web: Flask,
    world: World,
    photos: list[str],
    settings: Settings,
    served: Any,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
) -> None:
    origin = served.origin("alpha")
    page = new_page()
    page.goto(origin + link(web, world, asks_name=False))
    page.get_by_role("link", name="Add your photos").click()
    expect(page.get_by_text("Alpha looks at everything first")).to_be_visible()
    assert_accessible(page)
    with Server(settings.data_dir, port=settings.upload_port):
        page.set_input_files("#pick-files", NATURE / "Dune.jpg")
        expect(page.get_by_text("1 file uploaded")).to_be_visible(timeout=60_000)
        assert_accessible(page)
    page.goto(origin + ALBUM)
    expect(page.locator(".tile")).to_have_count(6)

    with web.app_context(), open_site(world.alpha) as site:
        added = site.session.scalars(select(Asset).where(Asset.held)).one().id
        gallery.develop(site, added, gallery.shot(NATURE / "Dune.jpg"))
        site.session.commit()
    page.goto(f"{origin}{ALBUM}/tiles?ids={added}")
    assert page.evaluate("JSON.parse(document.body.innerText).gone") == [added]

    member = sign_in(new_page(), origin)
    expect(member.get_by_role("link", name="News 1 new")).to_be_visible()
    member.goto(f"{origin}/dashboard/albums/{world.alpha_private}/guests")
    assert_accessible(member)
    member.get_by_role("button", name="Show selected in the album").click()
    expect(member.get_by_text("1 file is in the album now.")).to_be_visible()
    page.goto(origin + ALBUM)
    expect(page.locator(".tile")).to_have_count(7)


def test_nothing_that_a_guest_writes_runs(
    web: Flask,
    world: World,
    photos: list[str],
    served: Any,
    new_page: NewPage,
) -> None:
    """`new_page` fails on any script error and on any violation of the content security policy as well."""
    path = link(web, world, label=HOSTILE)
    with web.app_context(), open_site(world.alpha) as site:
        session, now = site.session, site.now()
        asset = session.get_one(Asset, (world.alpha, photos[0]))
        asset.caption, asset.filename = HOSTILE, f"{HOSTILE}.jpg"
        album = album_by_id(session, world.alpha, world.alpha_private)
        assert album is not None
        guest = guests.create(session, session.scalars(select(ShareLink)).one(), HOSTILE, now=now)
        guests.set_favourite(session, guest, asset, True, now=now)
        guests.add_comment(session, guest, asset, HOSTILE, now=now)
        proofing.choose(session, proofing.begin(session, guest, HOSTILE, None, now=now), [asset.id])
        tell(session, album, NewsKind.COMMENT, HOSTILE, HOSTILE, now=now)
        session.commit()
    origin, page = served.origin("alpha"), new_page()
    page.goto(origin + path)
    page.locator("#grid a").first.click()
    expect(page.locator(".pswp--open")).to_be_visible()
    page.get_by_role("button", name="Photo details").click()
    expect(page.locator(".pswp__details .caption")).to_have_text(HOSTILE)
    assert page.evaluate("window.ran") is None
    sign_in(page, origin)
    base = f"/dashboard/albums/{world.alpha_private}"
    paths = (f"{ALBUM}/{photos[0]}", f"{ALBUM}/picks", base, f"{base}/guests", f"{base}/share", "/dashboard/news")
    for path in paths:
        page.goto(origin + path)
        assert page.evaluate("window.ran") is None, path
        assert "{{7*7}}" in page.content() or path.endswith("/picks"), path


def test_the_tenants_pages_are_accessible(
    web: Flask,
    world: World,
    photos: list[str],
    served: Any,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
) -> None:
    link(web, world, choose_at_most=30, max_visits=100, pin_hash="x")
    with web.app_context(), open_site(world.alpha) as site:
        made = site.session.scalars(select(ShareLink)).one()
        guest = guests.create(site.session, made, "Zoe", now=site.now())
        asset = site.session.get_one(Asset, (world.alpha, photos[0]))
        guests.set_favourite(site.session, guest, asset, True, now=site.now())
        guests.add_comment(site.session, guest, asset, "Lovely", now=site.now())
        proofing.begin(site.session, guest, "For the wall", 30, now=site.now())
        album = album_by_id(site.session, world.alpha, made.album_id)
        assert album is not None
        tell(site.session, album, NewsKind.COMMENT, "Zoe", "Lovely", now=site.now())
        link_id = made.id
        site.session.commit()
    base = f"/dashboard/albums/{world.alpha_private}"
    paths = (f"{base}/share", f"{base}/share/{link_id}", f"{base}/guests", f"{base}/settings")
    for width, scheme in ((390, "light"), (1440, "dark")):
        page = sign_in(new_page(viewport={"width": width, "height": 800}, color_scheme=scheme), served.origin("alpha"))
        for path in (*paths, "/dashboard/news", "/dashboard/privacy"):
            page.goto(served.origin("alpha") + path)
            assert_accessible(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.goto(f"{served.origin('alpha')}{base}/share")
    page.get_by_role("button", name="QR code").click()
    expect(page.get_by_role("img", name="QR code that opens")).to_be_visible()
    with web.app_context(), reading(), open_site(world.alpha) as site:
        assert site.session.scalars(select(News)).one().seen_at is None
    page.goto(f"{served.origin('alpha')}/dashboard/news")
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_role("link", name="News", exact=True)).to_be_visible()
