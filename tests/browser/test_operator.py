"""The operator's page in a real browser: signing in with a code, accessible and without sideways scrolling."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import World
from flask import Flask
from metered import born, close, delivered, photo, stored, use
from playwright.sync_api import Page, expect

from billing import terms
from billing.plans import GB
from tenants import operators
from tenants.scope import open_site, secret

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
START = datetime(2024, 3, 1, tzinfo=UTC)
BORN = datetime(2024, 3, 31, 20, tzinfo=UTC)


def furnish(web: Flask, world: World) -> str:
    """A tenant that pays and one that costs; returns a code."""
    with web.app_context():
        born(BORN)
        with open_site(world.alpha) as site:
            terms.assign(site, "studio", since=START)
            site.session.commit()
        use(world.alpha, stored(BORN, 120 * GB), delivered(BORN, 40 * GB, "a"), photo(BORN))
        use(world.beta, stored(BORN, 2 * GB), delivered(BORN, 300 * GB, "b"))
        close(BORN + timedelta(hours=8))
        return operators.code(secret(), datetime.now(UTC))


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (820, "light"), (1440, "dark"), (1440, "light")])
def test_margins_are_accessible_and_fit(
    web: Flask,
    world: World,
    served: Any,
    new_page: NewPage,
    assert_accessible: Callable[[Page], None],
    width: int,
    scheme: str,
) -> None:
    code = furnish(web, world)
    page = new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"http://localhost:{served.port}/operator/margin?month=2024-03")
    expect(page.get_by_role("heading", name="Operator")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Tenants")).to_be_visible()
    assert_accessible(page)
    page.goto(f"http://localhost:{served.port}/operator/margin?month=2024-03")
    expect(page.locator("tbody tr").first).to_contain_text("loses money")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
