"""Tenants and albums of pages are the same objects until their rows change, and what a session loads."""

from collections.abc import Callable

import pytest
from conftest import World
from flask import Flask

from tenants import catalog
from tenants.catalog import Album, Ordering, Visibility
from tenants.detached import Detached
from tenants.domains import Domain
from tenants.prepared import Asking
from tenants.registry import Brand, Font, Layout, OnBudget, Standing, Tenant, Theme
from tenants.scope import Site, open_site

pytestmark = pytest.mark.every_database

SLUG = "alpha-shows"


@pytest.fixture
def known(web: Flask) -> Detached:
    asking: Asking = web.extensions["vitrine.asking"]
    return Detached(asking.ask, asking.engine.dialect)


def album_of(site: Site, world: World) -> Album:
    found = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
    assert found is not None
    return found


def fill(site: Site, world: World) -> None:
    """Every kind of column has something in it."""
    tenant, album = site.tenant, album_of(site, world)
    tenant.closes_at, tenant.standing, tenant.over_budget = site.now(), Standing.OVERDUE, OnBudget.LEAN
    tenant.marks, tenant.max_storage_bytes, tenant.primary_host = True, 1 << 40, "photos.example.com"
    brand = tenant.brand
    brand.heading_font, brand.theme, brand.layout = Font.SERIF, Theme.DARK, Layout.MASONRY
    brand.header_links, brand.css = [{"label": "“Über”", "url": "https://alpha.example"}], ".x { color: red }"
    album.visibility, album.ordering, album.layout = Visibility.UNLISTED, Ordering.NAME, Layout.STORY
    album.place, album.marks, album.description = False, None, "100 % 'quoted' \\\\ \N{SNOWMAN}"
    site.session.commit()


def values(thing: object) -> dict[str, object]:
    return {column.key: getattr(thing, column.key) for column in type(thing).__table__.c}  # type: ignore[attr-defined]


def test_they_are_as_a_session_loads_them(web: Flask, world: World, known: Detached) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        for change in (lambda: None, lambda: fill(site, world)):
            change()
            found, album = known.tenant(world.alpha), known.album(world.alpha, SLUG)
            assert found is not None and album is not None
            assert values(found.tenant) == values(site.tenant)
            assert values(found.tenant.brand) == values(site.tenant.brand)
            assert values(album) == values(album_of(site, world))
            assert {type(each) for each in (found.tenant, found.tenant.brand, album)} == {Tenant, Brand, Album}


def rename_album(site: Site, world: World) -> None:
    album_of(site, world).title = "Renamed"


def rename_tenant(site: Site, _world: World) -> None:
    site.tenant.name = "Renamed"


def recolour(site: Site, _world: World) -> None:
    site.tenant.brand.accent = "#1f6f43"


def verify(site: Site, world: World) -> None:
    at = site.now()
    site.session.add(Domain(host="photos.example.com", tenant_id=world.alpha, created_at=at, verified_at=at))


@pytest.mark.parametrize("change", [rename_album, rename_tenant, recolour, verify])
def test_an_object_lasts_as_long_as_its_row(
    web: Flask, world: World, known: Detached, change: Callable[[Site, World], None]
) -> None:
    before = known.tenant(world.alpha), known.album(world.alpha, SLUG)
    again = known.tenant(world.alpha), known.album(world.alpha, SLUG)
    assert all(one is other for one, other in zip(before, again, strict=True))
    with web.app_context(), open_site(world.alpha) as site:
        change(site, world)
        site.session.commit()
    after = known.tenant(world.alpha), known.album(world.alpha, SLUG)
    kept = [one is other for one, other in zip(before, after, strict=True)]
    assert kept == ([True, False] if change is rename_album else [False, True])
    assert before[0] is not None and before[0].tenant.name == "Alpha"  # Whoever holds the old ones sees no change.


def test_the_first_own_domain_comes_with_the_tenant(web: Flask, world: World, known: Detached) -> None:
    found = known.tenant(world.alpha)
    assert found is not None and found.own_host is None
    with web.app_context(), open_site(world.alpha) as site:
        verify(site, world)
        site.session.commit()
    found, other = known.tenant(world.alpha), known.tenant(world.beta)
    assert found is not None and found.own_host == "photos.example.com"
    assert other is not None and other.own_host is None


def test_of_what_is_not_there_nothing_is_found(world: World, known: Detached) -> None:
    assert known.album(world.alpha, "none") is None
    assert known.album(world.alpha, "beta-shows") is None
    assert known.tenant("0" * 26) is None
