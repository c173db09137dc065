"""From a new tenant to its album on somebody else's page, against every fleet as real processes."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from elsewhere import Elsewhere
from playwright.sync_api import Page, expect
from stack import Stack

from tenants import operators

pytestmark = pytest.mark.browser

NATURE = Path("/usr/share/backgrounds/mate/nature")
PHOTOS = [NATURE / "Aqua.jpg", NATURE / "Dune.jpg"]
PROCESSED_MS = 60_000


def made_tenant(stack: Stack, page: Page, check: Callable[[Page], None]) -> str:
    """By the operator, in the console; where its first owner joins."""
    key = stack.settings.secret_key.get_secret_value()
    page.goto(f"http://localhost:{stack.web_port}/operator/")
    page.get_by_label("Code").fill(operators.code(key, datetime.now(UTC), "olga"))
    page.keyboard.press("Enter")
    page.get_by_role("link", name="New tenant").click()
    page.get_by_label("Sub-domain").fill("studio")
    page.get_by_label("Name", exact=True).fill("Studio Nine")
    page.get_by_label("First owner's e-mail address").fill("nina@example.com")
    check(page)
    page.keyboard.press("Enter")
    told = page.get_by_text("Its first owner joins at").inner_text()
    return next(word.rstrip(".") for word in told.split() if word.startswith("http"))


def test_from_a_new_tenant_to_an_embedded_album(
    stack: Stack,
    elsewhere: Elsewhere,
    new_page: Callable[..., Page],
    assert_accessible: Callable[[Page], None],
) -> None:
    joins = made_tenant(stack, new_page(), assert_accessible)

    # The owner joins, and is told what comes first.
    page = new_page()
    page.goto(joins)
    assert_accessible(page)
    page.get_by_label("Your name").fill("Nina")
    page.get_by_label("Password").fill("a password of her own")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your first shared album")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="New album").first.click()
    page.get_by_label("Title").fill("Coast")
    page.keyboard.press("Enter")
    page.locator("#pick-files").set_input_files(PHOTOS)
    expect(page.locator('.tile[data-state="ready"]')).to_have_count(2, timeout=PROCESSED_MS)

    # The album stays private: the shop's page alone may show it.
    page.get_by_role("link", name="Embed").click()
    expect(page.get_by_text("No website can embed this album yet.")).to_be_visible()
    page.get_by_label("Websites that may show it").fill(elsewhere.origin("shop"))
    page.get_by_role("button", name="Create embedding").click()
    assert_accessible(page)
    lines = page.locator(".snippet input").all()
    snippet = next(value for value in (line.input_value() for line in lines) if "<vitrine-album" in value)

    visitor = new_page()
    elsewhere.html["shop"] = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Shop</title><link rel=icon href='data:,'>"
        f"<body><main><h1>Our gallery</h1>{snippet}</main>"
    )
    visitor.goto(elsewhere.origin("shop"))
    frame = visitor.frame_locator("vitrine-album iframe")
    expect(frame.get_by_role("heading", name="Coast")).to_be_visible()
    expect(frame.locator(".tile")).to_have_count(2)
    assert frame.locator(".tile img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
