"""A member's first hour, against every fleet as real processes: sign in, create, upload, arrange, delete, share."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PASSWORD
from playwright.sync_api import Page, expect
from stack import Stack

pytestmark = pytest.mark.browser

NATURE = Path("/usr/share/backgrounds/mate/nature")
PHOTOS = [NATURE / "Aqua.jpg", NATURE / "Dune.jpg"]
GARDEN = NATURE / "Garden.jpg"
PROCESSED_MS = 60_000


@pytest.fixture
def member(stack: Stack, page: Page) -> Page:
    """A page that Alice has signed in on."""
    page.goto(stack.origin("alpha") + "/dashboard/")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()
    return page


def new_album(page: Page, title: str) -> str:
    """Through the form; the address of its page."""
    page.get_by_role("link", name="New album").click()
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Create album").click()
    expect(page.get_by_role("heading", name="Drop photos, videos or whole folders here")).to_be_visible()
    return page.url


def order(page: Page) -> list[str]:
    return page.locator(".tile-name").all_inner_texts()


def test_from_signing_in_to_a_shared_album(
    member: Page,
    new_page: Callable[..., Page],
    tmp_path: Path,
    assert_accessible: Callable[[Page], None],
) -> None:
    page = member
    address = new_album(page, "Summer garden")
    assert_accessible(page)
    text = tmp_path / "holiday.jpg"
    text.write_text("No photo, just words.\n" * 40)
    page.locator("#pick-files").set_input_files([*PHOTOS, text])

    # Tiles turn into pictures by themselves; the text file says what is wrong with it.
    expect(page.locator(".tile img")).to_have_count(2, timeout=PROCESSED_MS)
    expect(page.locator('.tile[data-state="ready"]')).to_have_count(2, timeout=PROCESSED_MS)
    refused = page.locator('.tile[data-state="rejected"]')
    expect(refused).to_contain_text("This is text", timeout=PROCESSED_MS)
    expect(page.locator("#counts")).to_have_text("2 photos")
    assert page.locator(".tile img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.get_by_role("button", name="Close").click()
    assert_accessible(page)

    refused.get_by_role("button", name="Remove").click()
    expect(page.locator(".tile")).to_have_count(2)

    # Arranged by keyboard: the album sorts itself until that is agreed to.
    first, second = order(page)
    page.locator(".tile").first.get_by_role("link").focus()
    page.keyboard.press("Alt+ArrowRight")
    with page.expect_response(lambda response: response.url.endswith("/move")):
        page.get_by_role("dialog").get_by_role("button", name="Arrange by hand").press("Enter")
    expect(page.locator(".tile-name").first).to_have_text(second)
    page.reload()
    assert order(page) == [second, first]

    # Deleted, and back, by keyboard.
    page.locator(".tile").first.get_by_role("checkbox").press("Space")
    expect(page.locator("#selection-count")).to_have_text("1 selected")
    assert_accessible(page)
    page.keyboard.press("Delete")
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.locator(".tile")).to_have_count(2)
    page.reload()
    assert order(page) == [second, first]

    # A visitor without an account opens the link, and nothing else.
    page.get_by_role("link", name="Share").click()
    page.get_by_label("For whom").fill("The neighbours")
    page.get_by_role("button", name="Create link").click()
    link = page.get_by_label("Address of The neighbours").input_value()
    assert_accessible(page)
    visitor = new_page()
    visitor.goto(address)
    expect(visitor.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    visitor.goto(link)
    expect(visitor.get_by_role("heading", name="Summer garden")).to_be_visible()
    assert visitor.locator("main img").count() >= 2

    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke the link").click()
    expect(page.get_by_text("The link no longer opens anything.")).to_be_visible()


def test_an_upload_goes_on_after_a_reload(member: Page, tmp_path: Path) -> None:
    page = member
    new_album(page, "Long way")
    photo = tmp_path / "large.jpg"
    # Bytes after the end of a JPEG are allowed, and make it large enough to be caught midway. Each try has others:
    # a file that an earlier one has sent would be known, and asked about.
    photo.write_bytes(PHOTOS[0].read_bytes() + os.urandom(16) + b"\0" * 6_000_000)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": 700_000}
    network.send("Network.emulateNetworkConditions", slow)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if "/files/" in request.url else None)
    page.locator("#pick-files").set_input_files(photo)
    expect(page.locator(".upload-state")).to_have_text(re.compile(r"[3-9]\d%"), timeout=30_000)
    sent.clear()
    page.reload()
    network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    expect(page.locator('.tile[data-state="ready"]')).to_have_count(1, timeout=PROCESSED_MS)
    # It asked where the upload stood and sent the rest: it was not begun again.
    assert [method for method in sent if method in ("POST", "HEAD", "PATCH")] == ["HEAD", "PATCH"]


def test_known_files_are_offered_for_reuse(member: Page) -> None:
    page = member
    new_album(page, "Once")
    page.locator("#pick-files").set_input_files(GARDEN)
    expect(page.locator(".tile img")).to_have_count(1, timeout=PROCESSED_MS)
    page.goto(page.url.partition("/albums/")[0] + "/")
    new_album(page, "Twice")
    page.locator("#pick-files").set_input_files(GARDEN)
    expect(page.get_by_text("You have this file already:")).to_be_visible()
    page.get_by_role("button", name="Skip").click()
    expect(page.locator("#tray")).to_be_hidden()
    page.locator("#pick-files").set_input_files(GARDEN)
    page.get_by_role("button", name="Add without uploading").click()
    expect(page.locator(".tile img")).to_have_count(1, timeout=PROCESSED_MS)
    expect(page.locator(".tile")).to_contain_text("Already in")
