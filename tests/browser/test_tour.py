"""Every page of the dashboard and the console, in every state of `tour_table`: accessible in both colour schemes, as
wide as the screen and no wider, and all of it by Tab with a focus that shows.

With `VITRINE_SCREENSHOTS` naming a folder the pages are kept there at three widths (`make screenshots`).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import PASSWORD, World
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from tour_stage import Staged, stage
from tour_table import PAGES, REFUSALS, Row, View, Wrong

import wsgi
from infra.errors import Unavailable
from infra.settings import load
from tenants import operators, visits
from tenants.db import db
from tenants.scope import secret

from .conftest import AXE, SETTLE, WCAG, Served, only_this_machine, serving

pytestmark = pytest.mark.browser

WIDTHS = (390, 820, 1440)
SHOTS = os.environ.get("VITRINE_SCREENSHOTS")
ONLY = os.environ.get("VITRINE_SCREENSHOTS_ONLY", "").split()
"""Widths and schemes (`390-dark 1440-light`); none is all."""
RUN_AXE = """tags => axe.run(document, tags.length ? {runOnly: {type: 'tag', values: tags}}
    : {runOnly: ['color-contrast']}).then(found => found.violations.flatMap(each => each.nodes.map(node =>
        `${each.id}: ${node.html.slice(0, 160)} (${(node.failureSummary || '').slice(0, 300)})`)))"""
BEYOND = """() => [
  ...(document.documentElement.scrollWidth > innerWidth ? ['the page'] : []),
  ...[...document.querySelectorAll('main :is(.row-card, .card, .field, .input, .button, h1, h2, h3)')].filter(each =>
      each.checkVisibility() && !each.closest('[popover], .visually-hidden')
          && each.getBoundingClientRect().right > each.parentElement.getBoundingClientRect().right + 1)
      .map(each => each.outerHTML.slice(0, 160))]"""
"""What sticks out of what it is in."""
WATCH_FOCUS = """() => {
  const one = 'a[href], button, input, select, textarea, summary, [tabindex]';
  const isStop = each => each.tabIndex >= 0 && !each.disabled && each.type !== 'hidden' && !each.inert
      && each.checkVisibility({visibilityProperty: true})
      // Of radio buttons the chosen one, or the first, stands for its group.
      && (each.type !== 'radio' || each === (document.querySelector(`[name="${each.name}"]:checked`)
          || document.querySelector(`[name="${each.name}"]`)));
  const shows = each => { const style = each && getComputedStyle(each);
      return style && ((style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)
          || style.boxShadow !== 'none'); };
  window.waiting = new Set([...document.querySelectorAll(one)].filter(isStop));
  window.unseen = new Set();
  addEventListener('focusin', ({target}) => {
    window.waiting.delete(target);
    // What is drawn around a hidden field is drawn by what stands for it.
    const near = [target, target.parentElement, target.nextElementSibling, target.closest('label, li')];
    if (!near.some(shows)) window.unseen.add(target.outerHTML.slice(0, 160));
  });
  return window.waiting.size;
}"""
SEND = """([fields]) => {
  const [first] = Object.keys(fields);
  const form = [...document.forms].find(each => each.method === 'post' && each.elements[first]);
  form.noValidate = true;
  for (const [name, value] of Object.entries(fields)) form.elements[name].value = value;
  form.requestSubmit(form.elements[first].closest('[popover]')?.querySelector('[type=submit]') ?? null);
}"""


class Seat(NamedTuple):
    """Whose browser, where, and whose ids."""

    context: str
    slug: str
    ids: str


SEATS = {
    "alpha": Seat("members", "alpha", "alpha"),
    "beta": Seat("members", "beta", "beta"),
    "gamma": Seat("members", "gamma", "alpha"),
    "viewer": Seat("viewer", "beta", "beta"),
    "half": Seat("half", "beta", "beta"),
    "stranger-beta": Seat("stranger", "beta", "beta"),
    "nobody": Seat("stranger", "nobody", "beta"),
    "stranger-operator": Seat("stranger", "", "operator"),
    "operator": Seat("members", "", "operator"),
    "before": Seat("before", "", "operator"),
}
"""`before` is the operator of a deployment in which nothing has happened."""


@dataclass
class Tour:
    served: Served
    bare: Served
    staged: Staged
    pages: dict[str, Page]
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        refused = "Failed to load resource: the server responded with a status of"  # Of the page itself: it is meant.
        if message.type in ("error", "warning") and refused not in message.text:
            self.complaints.append(message.text)

    def address(self, view: View) -> str:
        seat = SEATS[view.who]
        served = self.bare if seat.context == "before" else self.served
        origin = served.origin(seat.slug) if seat.slug else f"http://localhost:{served.port}"
        return origin + view.path.format(**self.staged.ids[seat.ids])

    def show(self, state: View | Wrong) -> Page:
        self.complaints.clear()
        view = state.view if isinstance(state, Wrong) else state
        page = self.pages[SEATS[view.who].context]
        page.goto(self.address(view))
        if isinstance(state, Wrong):
            with page.expect_navigation() as answered:
                page.evaluate(SEND, [state.fields])
            assert answered.value.status == state.status, page.inner_text("main")
        page.wait_for_load_state("load")
        return page

    def sign_in(self, context: str, slug: str, name: str) -> Page:
        page = self.pages[context]
        page.goto(f"{self.served.origin(slug)}/dashboard/sign-in")
        page.get_by_label("E-mail address").fill(f"{name}@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(lambda url: not url.endswith("/sign-in"))
        return page

    def enter_console(self, context: str, served: Served, web: Flask) -> None:
        with web.app_context():
            code = operators.code(secret(), datetime.now(UTC), "olga")
            db.session.remove()
        page = self.pages[context]
        page.goto(f"http://localhost:{served.port}/operator/")
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/operator/tenants")


@pytest.fixture(scope="module")
def tour(
    chromium: Browser, populated: tuple[Path, World], tmp_path_factory: pytest.TempPathFactory, empty_dns: str
) -> Iterator[Tour]:
    with ExitStack() as stack:
        apps = []
        for name in ("staged", "bare"):
            folder = tmp_path_factory.mktemp(name)
            shutil.copyfile(populated[0], folder / "vitrine.db")
            apps.append(wsgi.make_web(load(data_dir=folder, visibility=5, dns_servers=empty_dns)))
        staged = stage(apps[0], populated[1])
        served, bare = (stack.enter_context(serving(app)) for app in apps)
        made = Tour(served, bare, staged, {})
        for name in sorted({seat.context for seat in SEATS.values()}):
            made.pages[name] = _page(made, stack, chromium)
        for slug, who in (("alpha", "alice"), ("beta", "bob"), ("gamma", "gina")):
            made.sign_in("members", slug, who)
        made.sign_in("half", "beta", "vera")
        page = made.sign_in("viewer", "beta", "vera")
        page.get_by_label("Code").fill(staged.ids["beta"]["code"])
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url("**/dashboard/")
        made.enter_console("members", served, apps[0])
        made.enter_console("before", bare, apps[1])
        yield made
        for app in apps:
            if (delivered := app.extensions.get("vitrine.delivered")) is not None:
                delivered.close()


def _page(tour: Tour, stack: ExitStack, chromium: Browser) -> Page:
    context: BrowserContext = chromium.new_context(viewport={"width": 1440, "height": 900})
    stack.callback(context.close)
    context.set_default_timeout(30_000)
    context.route("**/*", only_this_machine)
    page = context.new_page()
    page.on("console", tour.hear)
    page.on("pageerror", lambda error: tour.complaints.append(str(error)))
    return page


STATES = [(row, name, state) for row in PAGES for name, state in row.states().items()]


@pytest.mark.parametrize(("row", "name", "state"), STATES, ids=[f"{row.endpoint}-{name}" for row, name, _ in STATES])
def test_a_page(tour: Tour, row: Row, name: str, state: View | Wrong) -> None:
    page = tour.show(state)
    _look(page, f"{row.endpoint.replace('.', '-')}-{name}")
    if name == "full":
        _tab_through(page)
    assert tour.complaints == []


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal(tour: Tour, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    view = REFUSALS[name]
    if name == "503":
        monkeypatch.setattr(visits, "report", _away)
    tour.complaints.clear()
    page = tour.pages[SEATS[view.who].context]
    address = tour.address(view)
    answer = page.goto(address)
    while name == "429" and answer is not None and answer.status == 200:
        answer = page.goto(address)
    assert answer is not None and answer.status == int(name[:3])
    _look(page, f"refused-{name}")
    _tab_through(page)
    assert tour.complaints == []


def _away(*_: Any, **__: Any) -> None:
    """A fault in the place of a service that does not answer."""
    raise Unavailable("the store of visits")


def _look(page: Page, name: str) -> None:
    """All rules of axe in the light, and in the dark those of colours, which is what a scheme changes."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(BEYOND) == [], width
    page.evaluate(AXE.read_text())
    for scheme, tags in (("light", WCAG), ("dark", [])):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a Literal
        page.evaluate(SETTLE)
        assert page.evaluate(RUN_AXE, tags) == [], scheme
    if SHOTS:
        _keep(page, name, Path(SHOTS))


def _keep(page: Page, name: str, folder: Path) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a Literal
        for width in WIDTHS:
            if ONLY and f"{width}-{scheme}" not in ONLY:
                continue
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate(SETTLE)
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)


def _tab_through(page: Page) -> None:
    """Tab comes to everything that can be used, shows where it is, and is caught nowhere."""
    page.evaluate("document.activeElement.blur()")
    count = page.evaluate(WATCH_FOCUS)
    # Dates have several stops of their own, and what scrolls has one.
    for pressed in range(2 * count + 40):
        page.keyboard.press("Tab")
        if pressed >= count - 1 and page.evaluate("window.waiting.size") == 0:
            break
    missed = page.evaluate("[...window.waiting].map(each => each.outerHTML.slice(0, 160))")
    assert missed == []
    assert page.evaluate("[...window.unseen]") == []
