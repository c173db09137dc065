"""A real Chromium against a real server, for every browser test.

`served` runs the test's own `web` app on a free port; `page` is a fresh browser profile that fails its test on any
script error, refused resource or content-security-policy violation, and that reaches nothing but this machine.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import World
from elsewhere import Elsewhere, sites_elsewhere
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect, sync_playwright
from stack import Stack
from werkzeug.serving import WSGIRequestHandler, make_server

ROOT = Path(__file__).parents[2]
expect.set_options(timeout=20_000)  # A loaded machine is slow, not wrong.
AXE = ROOT / "node_modules/axe-core/axe.min.js"
CHROMIUM = Path(__file__).with_name("chromium.sh")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SETTLE = """document.getAnimations().forEach(each =>
    each.effect.getComputedTiming().endTime === Infinity ? each.cancel() : each.finish())"""
"""Colours are judged where a transition ends, not on its way."""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class _Quiet(WSGIRequestHandler):
    """Says nothing, and closes the response of a browser that hung up, which werkzeug forgets and gunicorn does not."""

    def log(self, *_anything: Any) -> None:
        """Requests are not news."""

    def make_environ(self) -> dict[str, Any]:
        self.environ = super().make_environ()
        return self.environ

    def run_wsgi(self) -> None:
        try:
            super().run_wsgi()
        finally:
            with suppress(KeyError):
                self.environ["test.response"].close()


def _kept(app: Any) -> Any:
    """The app, with each response kept where the handler finds it."""

    def keep(environ: dict[str, Any], start_response: Any) -> Any:
        environ["test.response"] = response = app(environ, start_response)
        return response

    return keep


@pytest.fixture(scope="module")
def stack(populated: tuple[Path, World], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every fleet as real processes, on a database of the module's own."""
    folder = tmp_path_factory.mktemp("stack")
    shutil.copyfile(populated[0], folder / "vitrine.db")
    with Stack(folder) as stack:
        yield stack


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with sites_elsewhere() as sites:
        yield sites


@dataclass(frozen=True)
class Served:
    port: int

    def origin(self, slug: str) -> str:
        return f"http://{slug}.localhost:{self.port}"


@contextmanager
def serving(web: Flask) -> Iterator[Served]:
    server = make_server("127.0.0.1", 0, _kept(web), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Served(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def served(web: Flask) -> Iterator[Served]:
    with serving(web) as served:
        yield served


@dataclass
class Complaints:
    """What the browser had to say. A test that expects one removes it from the list."""

    lines: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        line = f"{message.text} ({message.location.get('url', '')})"
        if message.type in ("error", "warning") and not any(part in line for part in self.expected):
            self.lines.append(line)

    def forget(self, part: str) -> None:
        """What was said with that in it, and what will be: a browser may tell of a refused frame a moment later."""
        self.expected.append(part)
        self.lines = [line for line in self.lines if part not in line]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


def only_this_machine(route: Route) -> None:
    host = route.request.url.partition("://")[2].partition("/")[0].partition(":")[0]
    if host == "localhost" or host.endswith(".localhost"):
        route.continue_()
    else:
        route.abort()


@pytest.fixture
def new_page(
    chromium: Browser, complaints: Complaints, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Opens pages in profiles of their own; takes what `Browser.new_context` takes."""
    if "served" in request.fixturenames:
        request.getfixturevalue("served")  # Before the pages, so that it ends after them: a page may still be loading.
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
        context.set_default_timeout(30_000)
        context.route("**/*", only_this_machine)
        contexts.append(context)
        page = context.new_page()
        page.on("console", complaints.hear)
        page.on("pageerror", lambda error: complaints.lines.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints.lines == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    """axe-core finds nothing to object to on the page as it stands."""
    source = AXE.read_text()

    def check(page: Page) -> None:
        page.evaluate(source)
        page.evaluate(SETTLE)
        found = page.evaluate("tags => axe.run({runOnly: {type: 'tag', values: tags}})", WCAG)
        problems = [
            f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]
        assert problems == []

    return check
