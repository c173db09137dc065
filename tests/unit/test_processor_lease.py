"""Leases and the compare-and-sets: who may write, and what a late writer changes."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import ManualClock, World
from flask import Flask
from sqlalchemy import select, update

from processor import commit, lease
from processor.lease import Claim, Keeper, LostLease
from processor.task import Facts
from tenants import catalog
from tenants.catalog import Asset, AssetState, Kind, Rendition
from tenants.names import new_id
from tenants.scope import Site, open_site
from tenants.usage import UsageEvent

FACTS = Facts(Kind.PHOTO, "image/jpeg", 640, 480, thumbhash="aGk=", dominant="#102030")
W320 = commit.Stored("w320.jpg", "image/jpeg", 320, 240, 1000)
W640 = commit.Stored("w640.jpg", "image/jpeg", 640, 480, 3000)


@pytest.fixture
def timed(core: Flask, clock: ManualClock) -> ManualClock:
    """The app runs by the test's clock."""
    core.extensions["vitrine.ports"] = replace(core.extensions["vitrine.ports"], clock=clock)
    return clock


@pytest.fixture
def asset_id(core: Flask, world: World) -> str:
    with open_site(world.alpha) as site:
        album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        made = catalog.add_asset(
            site.session, album, asset_id=new_id(), filename="a.jpg", sha256="a" * 64, size=5, now=site.now()
        )
        asset_id = made.id
        site.session.commit()
    return asset_id


def claimed(site: Site, asset_id: str) -> Claim:
    held = lease.claim(site, asset_id, 60)
    assert held is not None
    return held


def row(site: Site, asset_id: str) -> Asset:
    site.session.rollback()
    site.session.expire_all()
    asset = site.session.get(Asset, (site.tenant_id, asset_id))
    assert asset is not None
    return asset


def set_columns(site: Site, asset_id: str, **values: object) -> None:
    site.session.execute(update(Asset).where(Asset.id == asset_id).values(**values))
    site.session.commit()


def test_a_claim_raises_the_fence_and_begins_processing(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        held = claimed(site, asset_id)
        assert (held.fence, held.album_id, held.filename, held.sha256) == (1, world.alpha_album, "a.jpg", "a" * 64)
        asset = row(site, asset_id)
        assert asset.state is AssetState.PROCESSING
        assert asset.leased_until == timed.now() + timedelta(seconds=60)


def test_a_live_lease_keeps_others_out_until_it_ends(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        claimed(site, asset_id)
        timed.sleep(59)
        assert lease.claim(site, asset_id, 60) is None
        timed.sleep(1)
        assert claimed(site, asset_id).fence == 2


def test_a_renewed_lease_lasts_from_then_on(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        held = claimed(site, asset_id)
        timed.sleep(59)
        lease.renew(site, held, 60)
        timed.sleep(59)
        assert lease.claim(site, asset_id, 60) is None


def test_a_released_asset_is_free_at_once(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        lease.release(site, claimed(site, asset_id))
        assert claimed(site, asset_id).fence == 2


@pytest.mark.parametrize("state", catalog.TERMINAL)
def test_an_asset_at_its_end_is_not_claimed(timed: ManualClock, world: World, asset_id: str, state: AssetState) -> None:
    with open_site(world.alpha) as site:
        set_columns(site, asset_id, state=state)
        assert lease.claim(site, asset_id, 60) is None


def test_a_deleted_asset_is_not_claimed(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        set_columns(site, asset_id, deleted_at=timed.now())
        assert lease.claim(site, asset_id, 60) is None


def test_another_tenants_asset_is_not_claimed(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.beta) as site:
        assert lease.claim(site, asset_id, 60) is None


def test_a_second_attempt_keeps_what_is_shown(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        first = claimed(site, asset_id)
        commit.publish(site, first, FACTS, [W320])
        timed.sleep(60)
        second = claimed(site, asset_id)
        asset = row(site, asset_id)
        assert (asset.state, asset.generation, asset.fence) == (AssetState.VIEWABLE, 1, 2)
        commit.publish(site, second, FACTS, [W320, W640])
        assert row(site, asset_id).generation == 2


WRITES: list[Callable[[Site, Claim], None]] = [
    lambda site, held: commit.publish(site, held, FACTS, [W640]),
    lambda site, held: commit.ready(site, held, FACTS, [W320]),
    lambda site, held: commit.reject(site, held, "late"),
    lambda site, held: commit.progress(site, held, 50, "late"),
    lambda site, held: lease.renew(site, held, 60),
]


@pytest.mark.parametrize("write", WRITES, ids=["publish", "ready", "reject", "progress", "renew"])
@pytest.mark.parametrize("finished", [False, True], ids=["taken over", "ready"])
def test_a_late_writer_changes_nothing(
    timed: ManualClock, world: World, asset_id: str, write: Callable[[Site, Claim], None], finished: bool
) -> None:
    with open_site(world.alpha) as site:
        late = claimed(site, asset_id)
        commit.publish(site, late, FACTS, [W320])
        timed.sleep(60)
        holder = claimed(site, asset_id)
        commit.publish(site, holder, FACTS, [W320])
        if finished:
            commit.ready(site, holder, FACTS, [W320])
        before = everything(site)
        timed.sleep(1)
        with pytest.raises(LostLease):
            write(site, late)
        assert everything(site) == before


def test_a_late_release_is_quiet_and_changes_nothing(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        late = claimed(site, asset_id)
        timed.sleep(60)
        claimed(site, asset_id)
        before = everything(site)
        lease.release(site, late)
        assert everything(site) == before


def everything(site: Site) -> list[list[tuple[object, ...]]]:
    site.session.rollback()
    tables = (Asset.__table__, Rendition.__table__, UsageEvent.__table__)
    found = [[tuple(row) for row in site.session.execute(select(*table.c))] for table in tables]
    site.session.rollback()
    return found


def test_a_keeper_renews_while_the_work_runs(core: Flask, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        held = lease.claim(site, asset_id, 0.6)
        assert held is not None
        with Keeper(core, world.alpha, held, 0.6) as keeper:
            time.sleep(1.2)
            keeper.check()
            assert lease.claim(site, asset_id, 1) is None


def test_a_keeper_learns_that_the_lease_is_lost(core: Flask, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        held = lease.claim(site, asset_id, 0.6)
        assert held is not None
        with Keeper(core, world.alpha, held, 0.6) as keeper:
            set_columns(site, asset_id, fence=7)
            time.sleep(0.4)
            with pytest.raises(LostLease):
                keeper.check()


def test_reject_hides_what_was_shown(timed: ManualClock, world: World, asset_id: str) -> None:
    with open_site(world.alpha) as site:
        held = claimed(site, asset_id)
        commit.publish(site, held, FACTS, [W320])
        commit.reject(site, held, "broken" * 100)
        asset = row(site, asset_id)
        assert (asset.state, asset.generation, len(asset.reason)) == (AssetState.REJECTED, 0, commit.REASON_LENGTH)
        assert site.session.scalars(select(Rendition)).all() == []


def test_usage_is_counted_once_however_often_an_asset_ends(timed: ManualClock, world: World, asset_id: str) -> None:
    film = replace(FACTS, kind=Kind.VIDEO, content_type="video/mp4", duration=12.5)
    rungs = [
        commit.Stored(f"hls/{width}.m3u8", "application/vnd.apple.mpegurl", width, 90, 1) for width in (160, 320, 640)
    ]
    names = ("hls/first.m3u8", "hls/master.m3u8", "hls/audio.m3u8", "storyboard.vtt")
    made = [*rungs, *(commit.Stored(name, "text/plain", None, None, 1) for name in names)]
    with open_site(world.alpha) as site:
        for _ in range(2):
            set_columns(site, asset_id, state=AssetState.PROCESSING, leased_until=None)
            held = claimed(site, asset_id)
            commit.publish(site, held, film, made)
            commit.ready(site, held, film, made)
        events = {event.id: event.quantity for event in site.session.scalars(select(UsageEvent))}
    assert events == {f"video_in:{asset_id}": 12.5, f"video_out:{asset_id}": 37.5}
