"""Videos play: in the lightbox and on their own page, adaptive and plain."""

from collections.abc import Callable
from typing import Any

import gallery
import pytest
from conftest import World
from flask import Flask
from playwright.sync_api import Page, expect
from video_clips import Record, clip, record
from visits import visitor

from processor.steps import video
from tenants.catalog import album_by_id
from tenants.scope import open_site

pytestmark = pytest.mark.browser

ALBUM = "/a/alpha-shows"
PLAYS = "video => !video.paused && video.currentTime > 0.2 && video.videoWidth > 0"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A short clip with sound, through the real video step."""
    folder = tmp_path_factory.mktemp("film")
    made = record(clip(folder / "clip.mp4", seconds=4), folder)
    video.process(made.task)
    return made


def hang(web: Flask, world: World, film: Record, but: frozenset[str] = frozenset()) -> str:
    """The film in alpha's public album between two photos, without some of its renditions."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        gallery.fill(site, album, 2)
        files = {name: (film.path(name), made) for name, made in film.made.items() if name not in but}
        asset = gallery.add_film(site, album, files, film.published[-1][1], place=9)
        site.session.commit()
        return asset.id


def test_a_video_plays_in_the_lightbox_and_stops_when_left(
    web: Flask, world: World, film: Record, served: Any, page: Page
) -> None:
    asset_id = hang(web, world, film)
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(served.origin("alpha") + ALBUM)
    tile = page.locator(f'[data-id="{asset_id}"] a')
    expect(tile.locator(".badge")).to_contain_text("0:04")
    assert not any(url.endswith((".m3u8", ".mp4")) for url in fetched)
    tile.click()
    player = page.locator(".pswp video")
    expect(player).to_be_visible()
    player.evaluate("video => { video.muted = true; return video.play(); }")
    page.wait_for_function(f"() => ({PLAYS})(document.querySelector('.pswp video'))")
    assert any(url.endswith("hls/master.m3u8") for url in fetched)
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => [...document.querySelectorAll('video')].every(video => video.paused)")
    page.keyboard.press("Escape")
    expect(page.locator(".pswp")).to_have_count(0)


def test_a_video_has_a_page_that_plays_without_scripts(
    web: Flask, world: World, film: Record, served: Any, new_page: Callable[..., Page]
) -> None:
    asset_id = hang(web, world, film)
    page = new_page(java_script_enabled=False)
    page.goto(f"{served.origin('alpha')}{ALBUM}/{asset_id}")
    sources = page.locator("video source")
    assert [sources.nth(n).get_attribute("type") for n in range(sources.count())] == [
        "video/mp4",
        "application/vnd.apple.mpegurl",
    ]
    assert page.locator("video").get_attribute("controls") is not None
    address = sources.first.get_attribute("src")
    answer = visitor(web).get(str(address), headers={"Range": "bytes=0-3"})
    assert (answer.status_code, len(answer.data)) == (206, 4)


def test_the_lowest_rung_plays_before_the_rest_is_made(
    web: Flask, world: World, film: Record, served: Any, page: Page
) -> None:
    first = film.published[0][0]
    asset_id = hang(web, world, film, but=frozenset(film.made) - first)
    page.goto(f"{served.origin('alpha')}{ALBUM}/{asset_id}")
    player = page.locator("#film")
    player.evaluate("video => { video.muted = true; video.play().catch(() => undefined); }")
    page.wait_for_function("() => document.querySelector('#film').readyState >= 3")
    player.evaluate("video => video.play()")
    page.wait_for_function(f"() => ({PLAYS})(document.querySelector('#film'))")
