"""What the dashboard's page of an album costs the browser: it must not grow with the album."""

import os
from typing import Any

import pytest
from conftest import World
from dashboard_stage import long_album, sign_in
from flask import Flask
from playwright.sync_api import CDPSession, Page, expect

pytestmark = pytest.mark.browser

COUNT = int(os.environ.get("VITRINE_WINDOW_ASSETS", "1400"))
"""10,000 were measured (docs/adr/0177-many-files-at-once.md); a test need not take that long."""
PAGE, WINDOW = 200, 600


def held(cdp: CDPSession) -> tuple[int, int, float]:
    """DOM nodes, listeners and megabytes of the script's heap that are left when the rubbish is taken away."""
    cdp.send("HeapProfiler.collectGarbage")
    told = {each["name"]: each["value"] for each in cdp.send("Performance.getMetrics")["metrics"]}
    return int(told["Nodes"]), int(told["JSEventListeners"]), told["JSHeapUsedSize"] / 2**20


def go(page: Page, name: str, edge: str) -> None:
    page.get_by_role("link", name=name).click()
    expect(page.locator(f"#tile-{edge}")).to_be_attached()


def test_a_long_album_costs_the_page_no_more_than_a_window(web: Flask, world: World, served: Any, page: Page) -> None:
    ids = long_album(web, world, page, COUNT)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/albums/{world.alpha_album}")
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")

    def seen(what: str) -> tuple[int, int, float]:
        found = held(cdp)
        print(f"{what}: {found[0]} nodes, {found[1]} listeners, {found[2]:.1f} MB", flush=True)
        return found

    seen("a page")
    for last in range(2 * PAGE, WINDOW + 1, PAGE):
        go(page, "Show more", ids[last - 1])
    nodes, listeners, heap = seen("a window")
    found = []
    for last in range(WINDOW + PAGE, COUNT + 1, PAGE):
        go(page, "Show more", ids[last - 1])
        if last == COUNT or last % 2000 == 0:
            found.append(seen(f"after {last}"))
    page.get_by_role("button", name="Select all").click()
    expect(page.locator("#selection-count")).to_have_text(f"{COUNT:,} selected")
    for first in range(COUNT - WINDOW - PAGE, -1, -PAGE):
        go(page, "Show earlier", ids[first])
    found.append(seen("all selected, and back to the start"))
    for later in found:
        assert later[0] < nodes * 1.15 and later[1] < listeners + 50 and later[2] < heap * 1.5
