"""Keyset pages: complete, without repeats, in order, both ways, and as cheap at the end as at the start."""

from collections.abc import Iterator

import gallery
import pytest
from conftest import World
from flask import Flask, g
from statements import statements
from visits import member, visitor

from tenants.catalog import Album, Asset, AssetState, Ordering, album_by_id
from tenants.db import db
from tenants.ordering import sort_key
from tenants.scope import Site, open_site
from tenants.sharing import Viewer
from webapp.site import listing

PHOTOS = 5000
MOST_STATEMENTS = 12
"""Of an album's first page: tenant, album, tiles and their pictures, cover and its pictures, counts, albums within
and around it, and the host that links name."""


@pytest.fixture
def site(web: Flask, world: World) -> Iterator[Site]:
    with web.app_context(), open_site(world.alpha) as opened:
        g.viewer = Viewer(tenant_id=world.alpha)
        yield opened


@pytest.fixture
def album(site: Site, world: World) -> Album:
    found = album_by_id(site.session, world.alpha, world.alpha_album)
    assert found is not None
    return found


def walk(site: Site, album: Album, size: int) -> list[list[str]]:
    """Every page from the first to the last, as ids."""
    cursors = listing.Cursors("k" * 32, album)
    pages, after = [], None
    while True:
        page = listing.page(site.session, album, cursors, after=after, size=size)
        pages.append([tile.id for tile in page.tiles])
        if page.after is None:
            return pages
        after = page.after


@pytest.mark.parametrize("ordering", list(Ordering))
def test_browsing_to_the_end_visits_each_asset_once_in_order(site: Site, album: Album, ordering: Ordering) -> None:
    album.ordering = ordering
    gallery.fill_rows(site, album, 530)
    pages = walk(site, album, 100)
    assert [len(page) for page in pages] == [100, 100, 100, 100, 100, 30]
    key = sort_key(ordering)
    expected = list(site.session.scalars(db.select(Asset.id).order_by(key, Asset.id)))
    assert [asset for page in pages for asset in page] == expected


@pytest.mark.parametrize("ordering", list(Ordering))
def test_pages_lead_back_the_way_they_came(site: Site, album: Album, ordering: Ordering) -> None:
    album.ordering = ordering
    gallery.fill_rows(site, album, 50)
    cursors = listing.Cursors("k" * 32, album)
    first = listing.page(site.session, album, cursors, size=20)
    second = listing.page(site.session, album, cursors, after=first.after, size=20)
    back = listing.page(site.session, album, cursors, before=second.before, size=20)
    assert first.before is None
    assert [tile.id for tile in back.tiles] == [tile.id for tile in first.tiles]
    assert (back.before, back.after) == (None, first.after)


def test_an_asset_added_meanwhile_shifts_nothing(site: Site, album: Album) -> None:
    album.ordering = Ordering.MANUAL
    ids = gallery.fill_rows(site, album, 30)
    cursors = listing.Cursors("k" * 32, album)
    first = listing.page(site.session, album, cursors, size=10)
    gallery.add_waiting(site, album, place=0)
    second = listing.page(site.session, album, cursors, after=first.after, size=10)
    assert [tile.id for tile in second.tiles] == ids[10:20]


def test_a_place_of_another_order_or_album_is_refused(site: Site, album: Album, world: World) -> None:
    gallery.fill_rows(site, album, 12)
    page = listing.page(site.session, album, listing.Cursors("k" * 32, album), size=5)
    assert page.after is not None
    for cursors in (_reordered(album), listing.Cursors("other" * 8, album)):
        with pytest.raises(ValueError, match="place"):
            listing.page(site.session, album, cursors, after=page.after, size=5)


def _reordered(album: Album) -> listing.Cursors:
    album.ordering = Ordering.NAME
    return listing.Cursors("k" * 32, album)


@pytest.mark.parametrize("state", [AssetState.REJECTED, AssetState.FAILED])
def test_what_went_wrong_is_not_shown_to_visitors(site: Site, album: Album, state: AssetState) -> None:
    gallery.fill_rows(site, album, 2)
    gallery.add_waiting(site, album, state)
    gallery.add_waiting(site, album)
    page = listing.page(site.session, album, listing.Cursors("k" * 32, album), size=10)
    assert [tile.shown for tile in page.tiles].count(False) == 1
    assert len(page.tiles) == 3


def test_five_thousand_photos_cost_as_many_queries_as_ten(web: Flask, world: World) -> None:
    numbers = []
    visitor(web).get("/a/alpha-shows")  # The canonical host is remembered from then on.
    for count in (10, PHOTOS - 10):
        with web.app_context(), open_site(world.alpha) as site:
            album = album_by_id(site.session, world.alpha, world.alpha_album)
            assert album is not None
            gallery.fill_rows(site, album, count)
            site.session.commit()
        with statements(web) as seen:
            page = visitor(web).get("/a/alpha-shows")
        assert page.status_code == 200
        numbers.append(len([statement for statement in seen if statement.startswith("SELECT")]))
    assert numbers[0] == numbers[1]
    assert numbers[1] <= MOST_STATEMENTS
    assert f"{PHOTOS:,} photos" in page.text
    assert page.text.count('class="tile"') == listing.PAGE_SIZE


def test_the_links_of_pages_reach_every_photo(web: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_SIZE", 40)
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        ids = gallery.fill_rows(site, album, 130)
        site.session.commit()
    client, path, seen = visitor(web), "/a/alpha-shows", []
    while path:
        text = client.get(path).text
        seen += [part.partition('"')[0] for part in text.split('data-id="')[1:]]
        path = text.partition('id="more" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert sorted(seen) == sorted(ids)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("cursor", ["x", "W10.AAAA", "%00", "a" * 3000])
def test_a_made_up_place_begins_at_the_start(web: Flask, cursor: str) -> None:
    answer = visitor(web).get(f"/a/alpha-shows?after={cursor}")
    assert (answer.status_code, answer.location) == (303, "/a/alpha-shows")


def test_the_home_page_costs_the_same_for_one_album_and_for_many(web: Flask, world: World) -> None:
    def count() -> int:
        with statements(web) as seen:
            assert visitor(web).get("/").status_code == 200
        return len([statement for statement in seen if statement.startswith("SELECT")])

    count()  # The tenant is known from then on.
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        gallery.fill_rows(site, album, 3)
        site.session.commit()
    few = count()
    with web.app_context(), open_site(world.alpha) as site:
        for number in range(20):
            album = gallery.public_album(site, f"Album {number}")
            gallery.fill_rows(site, album, 3)
        site.session.commit()
    assert count() == few


def test_private_and_unlisted_albums_are_not_on_the_home_page(web: Flask, world: World) -> None:
    assert "alpha secret" not in visitor(web).get("/").text
    assert "alpha secret" not in member(web, world.alpha, world.alice).get("/").text
