"""Albums within albums: where they show, who sees them, and what cannot be."""

import re
from collections.abc import Iterator

import gallery
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from visits import share_link, visitor

from infra.errors import Problem
from tenants import nesting
from tenants.catalog import Album, Visibility, create_album
from tenants.scope import Site, open_site

pytestmark = pytest.mark.every_database


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    with open_site(world.alpha) as site:
        yield site


def make(site: Site, title: str, inside: Album | None = None, visibility: Visibility = Visibility.PUBLIC) -> Album:
    album = create_album(site.session, site.tenant_id, title, now=site.now(), visibility=visibility)
    nesting.put(site.session, album, inside)
    return album


def test_an_album_moves_in_and_out(site: Site) -> None:
    year = make(site, "2024")
    june = make(site, "June", year)
    assert nesting.ancestors(site.session, june) == [year]
    assert nesting.children(site.session, [year.id], most=9) == [(year.id, june)]
    nesting.put(site.session, june, None)
    assert nesting.ancestors(site.session, june) == []


def test_a_circle_is_refused(site: Site) -> None:
    outer = make(site, "Outer")
    middle = make(site, "Middle", outer)
    inner = make(site, "Inner", middle)
    for target in (outer, middle, inner):
        with pytest.raises(Problem, match="inside itself"):
            nesting.put(site.session, outer, target)


def test_depth_is_bounded_from_both_sides(site: Site) -> None:
    chain = [make(site, "level 1")]
    for level in range(2, nesting.MOST_LEVELS + 1):
        chain.append(make(site, f"level {level}", chain[-1]))
    with pytest.raises(Problem, match="deep"):
        make(site, "too deep", chain[-1])
    with pytest.raises(Problem, match="deep"):
        nesting.put(site.session, chain[0], make(site, "one above"))


def test_a_purged_parent_leaves_its_albums(site: Site) -> None:
    year = make(site, "2024")
    june = make(site, "June", year)
    site.session.delete(year)
    site.session.flush()
    site.session.expire_all()
    assert nesting.parent_of(site.session, june) is None


def test_the_home_page_shows_the_top_and_a_collection_what_is_in_it(web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        year = make(site, "Year of 2024")
        june = make(site, "June days", year)
        make(site, "Hidden days", year, Visibility.PRIVATE)
        make(site, "Quiet days", year, Visibility.UNLISTED)
        gallery.fill(site, june, 2)
        site.session.commit()
    browser = visitor(web)
    home = browser.get("/").text
    assert "Year of 2024" in home and "June days" not in home
    assert "1 album" in home and "w640" in home  # The collection has the cover of its first album.
    inside = browser.get("/a/year-of-2024").text
    assert "June days" in inside
    assert "Hidden days" not in inside and "Quiet days" not in inside and "still empty" not in inside
    assert 'href="/a/year-of-2024"' in browser.get("/a/june-days").text


def test_a_link_to_a_collection_leaves_private_albums_closed(web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        wedding = make(site, "Wedding", visibility=Visibility.PRIVATE)
        make(site, "Party", wedding, Visibility.UNLISTED)
        closed = make(site, "Portraits", wedding, Visibility.PRIVATE)
        site.session.commit()
        wedding_id, closed_id = wedding.id, closed.id
    browser = visitor(web)
    assert browser.get("/a/wedding").status_code == 404
    browser.get(share_link(web, world.alpha, wedding_id))
    page = browser.get("/a/wedding").text
    assert "Party" in page and "Portraits" not in page
    assert browser.get("/a/portraits").status_code == 404
    browser.get(share_link(web, world.alpha, closed_id))
    assert "Portraits" in browser.get("/a/wedding").text
    other = visitor(web)
    other.get(share_link(web, world.alpha, closed_id))
    assert "Wedding" not in other.get("/a/portraits").text  # The trail ends where the visitor may not look.


def test_a_public_album_in_a_private_one_stays_on_the_home_page(web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        make(site, "Open house", make(site, "Vault", visibility=Visibility.PRIVATE))
        site.session.commit()
    home = visitor(web).get("/").text
    assert "Open house" in home and "Vault" not in home


def test_the_dashboard_moves_albums_and_says_what_cannot_be(web: Flask, world: World) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    shown = {"title": "Alpha shows", "visibility": "public", "ordering": "captured"}
    settings = f"/dashboard/albums/{world.alpha_album}/settings"
    assert f'value="{world.alpha_private}"' in alice.get(settings).text
    assert f'value="{world.beta_album}"' not in alice.get(settings).text
    assert alice.submit(settings, {**shown, "parent": world.alpha_private}).status_code == 303
    assert re.search(rf'<option selected value="{world.alpha_private}"', alice.get(settings).text)
    circle = alice.submit(
        f"/dashboard/albums/{world.alpha_private}/settings",
        {"title": "Private", "visibility": "private", "ordering": "captured", "parent": world.alpha_album},
    )
    assert (circle.status_code, "inside itself" in circle.text) == (422, True)
    for foreign in (world.beta_album, "0" * 26, "no id at all"):
        refused = alice.submit(settings, {**shown, "parent": foreign})
        assert (refused.status_code, "This album is gone" in refused.text) == (422, True)
    made = alice.submit("/dashboard/albums/new", {**shown, "title": "Deeper", "parent": world.alpha_album})
    assert made.status_code == 303
