"""Moves by hand, against a model that is a plain list."""

import random
from collections.abc import Iterator

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select

from infra.errors import Problem
from tenants import catalog, names, ordering
from tenants.catalog import Album, Asset, AssetState, Ordering
from tenants.scope import Site, open_site


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    with open_site(world.alpha) as site:
        yield site


def filled(site: Site, album_id: str, count: int, *, state: AssetState = AssetState.READY) -> tuple[Album, list[str]]:
    album = catalog.album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    ids = []
    for number in range(count):
        asset = catalog.add_asset(
            site.session,
            album,
            asset_id=names.new_id(),
            filename=f"{count - number}.jpg",
            sha256=f"{number:064x}",
            size=1,
            now=site.now(),
        )
        asset.state = state
        ids.append(asset.id)
    return album, ids


def in_order(site: Site, album: Album) -> list[str]:
    key = ordering.sort_key(album.ordering)
    return list(site.session.scalars(select(Asset.id).where(Asset.album_id == album.id).order_by(key, Asset.id)))


def test_moves_agree_with_a_list(site: Site, world: World) -> None:
    album, model = filled(site, world.alpha_album, 8)
    album.ordering = Ordering.MANUAL
    choose = random.Random(8)
    for _ in range(120):
        moved = choose.sample(model, choose.randint(1, 4))
        rest = [asset for asset in model if asset not in moved]
        place = choose.randint(0, len(rest))
        ordering.move_assets(site.session, album, moved, after=rest[place - 1] if place else None)
        model = rest[:place] + moved + rest[place:]
        assert in_order(site, album) == model


def test_a_used_up_gap_is_numbered_afresh(site: Site, world: World) -> None:
    album, (first, second, third) = filled(site, world.alpha_album, 3)
    album.ordering = Ordering.MANUAL
    # Each move halves the gap between the first and its neighbour: 2^20 is used up after twenty.
    for _ in range(25):
        ordering.move_assets(site.session, album, [third], after=first)
        ordering.move_assets(site.session, album, [second], after=first)
        assert in_order(site, album) == [first, second, third]


def test_going_manual_keeps_the_order(site: Site, world: World) -> None:
    album, ids = filled(site, world.alpha_album, 4)
    album.ordering = Ordering.NAME
    before = in_order(site, album)
    assert before == ids[::-1]
    with pytest.raises(Problem, match="sorts itself"):
        ordering.move_assets(site.session, album, ids[:1], after=None)
    ordering.arrange_by_hand(site.session, album)
    assert album.ordering is Ordering.MANUAL
    assert in_order(site, album) == before


def test_a_move_is_refused_outside_its_album(site: Site, world: World) -> None:
    album, ids = filled(site, world.alpha_album, 2)
    album.ordering = Ordering.MANUAL
    _, elsewhere = filled(site, world.alpha_private, 1)
    for moved, after in (([elsewhere[0]], None), ([ids[0]], elsewhere[0]), ([ids[0]], names.new_id())):
        with pytest.raises(Problem) as refused:
            ordering.move_assets(site.session, album, moved, after=after)
        assert refused.value.code == "not-found"
    for moved, after in (([ids[0]], ids[0]), ([], None), ([ids[0], ids[0]], None)):
        with pytest.raises(Problem) as refused:
            ordering.move_assets(site.session, album, moved, after=after)
        assert refused.value.code == "invalid"


def test_covers_fall_back_to_the_first_shown(site: Site, world: World) -> None:
    album, ids = filled(site, world.alpha_album, 3)
    album.ordering = Ordering.NAME
    secret, (hidden,) = filled(site, world.alpha_private, 1, state=AssetState.PROCESSING)
    assert {key: asset.id for key, asset in ordering.covers(site.session, [album, secret]).items()} == {
        album.id: ids[-1]
    }
    album.cover_id = ids[1]
    assert ordering.covers(site.session, [album])[album.id].id == ids[1]
    # A cover that was removed, or that is another album's, counts for nothing.
    asset = site.session.get(Asset, (site.tenant_id, ids[1]))
    assert asset is not None
    asset.deleted_at = site.now()
    assert ordering.covers(site.session, [album])[album.id].id == ids[-1]
    album.cover_id = hidden
    assert ordering.covers(site.session, [album])[album.id].id == ids[-1]
