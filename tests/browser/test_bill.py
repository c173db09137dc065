"""What is told of a bill that was not paid, and the invoice as a sheet of paper (the pages themselves: test_tour.py).

With `VITRINE_SCREENSHOTS` naming a folder they are kept there as pictures.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from bill_stage import furnish
from conftest import PASSWORD, World
from flask import Flask
from metered import born, close, delivered, use
from playwright.sync_api import Page, expect

from billing import terms
from billing.plans import GB
from tenants.registry import Standing
from tenants.scope import open_site, ports

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]


def sign_in(page: Page, origin: str) -> None:
    page.goto(f"{origin}/dashboard/sign-in")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()


def kept(page: Page, name: str) -> None:
    folder = os.environ.get("VITRINE_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("width", "scheme", "reach"), [(390, "dark", "stop"), (820, "light", "lean"), (1440, "light", "stop")]
)
def test_a_budget_is_set_by_hand_and_once_reached_the_album_says_so(
    web: Flask,
    world: World,
    served: Any,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
    width: int,
    scheme: str,
    reach: str,
) -> None:
    with web.app_context():
        with open_site(world.alpha) as site:
            terms.assign(site, "studio", since=site.now().replace(day=1, hour=0))
            site.session.commit()
        now = ports().clock.now()
        born(now - timedelta(hours=4))
        use(world.alpha, delivered(now, 300 * GB))
        close(now + timedelta(hours=2))
    page = new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/usage")
    page.get_by_label("Budget for a month").fill("25")
    page.get_by_label("Stop new uploads" if reach == "stop" else "Make smaller pictures").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The budget is saved.")).to_be_visible()
    for name, path in (("budget", "usage"), ("budget-album", f"albums/{world.alpha_album}")):
        page.goto(f"{served.origin('alpha')}/dashboard/{path}")
        expect(page.get_by_text("This month's budget is reached")).to_be_visible()
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        kept(page, f"{name}-{width}-{scheme}")
    picked = page.get_by_text("Add photos and videos", exact=True)
    expect(picked).to_be_visible(visible=reach == "lean")


def test_a_bill_that_is_not_paid_is_told_accessibly(
    web: Flask, world: World, served: Any, new_page: NewPage, assert_accessible: Callable[[Page], None]
) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.tenant.standing = Standing.OVERDUE
        site.session.commit()
    page = new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    sign_in(page, served.origin("alpha"))
    expect(page.get_by_text("The last payment failed")).to_be_visible()
    assert_accessible(page)
    kept(page, "overdue-390-dark")
    page.get_by_role("link", name="Plan and payment").click()
    expect(page.get_by_role("heading", name="Plan and payment")).to_be_visible()


def test_the_invoice_is_a_page_with_everything_on_it(
    web: Flask, world: World, served: Any, new_page: NewPage, tmp_path: Path
) -> None:
    """Rendered as a reader would: ink reaches neither edge of the sheet."""
    number = furnish(web, world)
    page = new_page()
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/usage/invoices/{number}")
    with page.expect_download() as loading:
        page.get_by_role("link", name="PDF").first.click()
    file = tmp_path / "invoice.pdf"
    loading.value.save_as(file)
    document = pypdfium2.PdfDocument(file)
    assert len(document) == 1
    shown = document[0].render(scale=2).to_pil().convert("L")
    if folder := os.environ.get("VITRINE_SCREENSHOTS"):
        shown.save(Path(folder) / "invoice-pdf.png")
    left, top, right, bottom = shown.point(lambda value: 255 if value < 250 else 0).getbbox() or (0, 0, 0, 0)
    assert left > 40 and top > 40 and right < shown.width - 40 and bottom < shown.height - 40
    assert (right - left) > shown.width * 0.7
