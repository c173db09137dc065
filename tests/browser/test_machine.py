"""What a newcomer does: `make run`, look, Ctrl-C, `make run` again. Real processes, real media, Chromium."""

import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from loopback import free_port
from playwright.sync_api import Page
from stack import eventually

RUN = "infra/machine/run.sh"


@contextmanager
def machine(data: Path, ports: tuple[int, int, int]) -> Iterator[str]:
    """The running machine; what it printed until it was up. Stopped as a terminal stops it: SIGINT to the group."""
    web, upload, redis = map(str, ports)
    env = os.environ | {
        "VITRINE_DATA_DIR": str(data),
        "VITRINE_WEB_PORT": web,
        "VITRINE_UPLOAD_PORT": upload,
        "VITRINE_REDIS_PORT": redis,
    }
    # Its own process group, as a terminal gives it: SIGINT reaches the script and supervisord alike.
    process = subprocess.Popen(
        [RUN], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        assert "Ctrl-C" in printed, printed
        yield printed
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        with suppress(ProcessLookupError):  # It has ended by itself, and the assertion above says why.
            os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()
        assert process.wait(60) == 0
        process.stdout.close()
        _gone, alive = psutil.wait_procs(family, timeout=10)
        assert alive == [], "Ctrl-C left processes behind"


@pytest.mark.browser
@pytest.mark.faults
@pytest.mark.timeout(600)
def test_make_run_ends_with_an_album_and_a_playing_video(tmp_path: Path, page: Page) -> None:
    ports = (free_port(), free_port(), free_port())
    with machine(tmp_path, ports) as printed:
        found = re.search(r"Album +(\S+)", printed)
        assert found is not None, printed
        album = found.group(1)
        page.goto(album)
        assert page.title().startswith("A year outdoors")
        pictures = page.locator("main img")
        assert pictures.count() >= 13
        page.wait_for_function(
            "() => [...document.querySelectorAll('main img')].slice(0, 4).every(i => i.complete && i.naturalWidth > 0)"
        )
        page.locator("a", has=page.locator("img[alt*='walk' i]")).first.click()
        page.wait_for_selector("video")
        page.evaluate("document.querySelector('video').muted = true; document.querySelector('video').play()")
        page.wait_for_function("() => document.querySelector('video').currentTime > 0.5", timeout=30_000)
        shown = _asset_addresses(album)
        kill_one_of_each(tmp_path)
    with machine(tmp_path, ports) as printed:
        assert "First run" not in printed
        assert _asset_addresses(album) == shown


def kill_one_of_each(data: Path) -> None:
    """SIGKILL the web fleet and a worker; supervisord brings them back."""
    programs = (Path(__file__).parents[2] / "infra/machine/supervisord.conf").read_text().count("[program:")
    supervisor = psutil.Process(int((data / "supervisord.pid").read_text()))
    victims = [child for child in supervisor.children() if re.search("wsgi:web|worker", " ".join(child.cmdline()))]
    assert len(victims) == 2
    for victim in victims:
        victim.kill()

    def all_are_back() -> bool:
        children = supervisor.children()
        return len(children) == programs and not any(victim in children for victim in victims)

    eventually(all_are_back)


def _asset_addresses(album: str) -> list[str]:
    """The album page's links to its assets, by plain HTTP; waits for a web fleet that is starting."""
    address = urlsplit(album)
    # By address, with the Host header of the site: resolvers differ in what they make of *.localhost.
    asked = urllib.request.Request(
        f"http://127.0.0.1:{address.port}{address.path}", headers={"Host": f"{address.hostname}:{address.port}"}
    )

    pages: list[str] = []

    def answers() -> bool:
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                pages.append(answer.read().decode())
        except OSError:
            return False
        return True

    eventually(answers)
    return sorted(set(re.findall(r'href="(/a/[^"?#]+/[0-9a-z]{26})"', pages[0])))
