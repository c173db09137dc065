"""Originals that are copied for the dashboard: by the relay's fleet, in two steps that may be done twice."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import gallery
import pytest
from conftest import ManualClock, World
from flask import Flask
from sqlalchemy import select

from infra import wiring
from infra.errors import Problem
from infra.settings import Settings
from tenants import arrivals, replacing
from tenants.catalog import Album, Asset, AssetState, album_by_id
from tenants.db import db
from tenants.names import original_key
from tenants.outbox import Outbox
from tenants.scope import Site, open_site, ports
from uploader import placing, relay


@pytest.fixture
def clock(core: Flask, settings: Settings) -> ManualClock:
    clock = ManualClock()
    clock.time = ports().clock.now()
    core.extensions["vitrine.ports"] = wiring.build(settings, db.engine, clock=clock)
    return clock


@pytest.fixture
def site(clock: ManualClock, world: World) -> Iterator[Site]:
    with open_site(world.alpha) as site:
        yield site


@dataclass(frozen=True)
class Kept:
    """Of an asset, for when the session has let go of it."""

    id: str
    sha256: str


@pytest.fixture
def photo(site: Site, world: World) -> Kept:
    return _photo(site, world, 0)


def _photo(site: Site, world: World, number: int) -> Kept:
    album = album_by_id(site.session, world.alpha, world.alpha_album)
    assert album is not None
    made = gallery.add_photo(site, album, gallery.shot(gallery.sources()[number]), original=True)
    kept = Kept(made.id, made.sha256)
    site.session.commit()
    return kept


def copy_of(site: Site, source: Kept, title: str = "Copies") -> Kept:
    album = arrivals.copy(site, [site.session.get_one(Asset, (site.tenant_id, source.id))], title)
    made = site.session.scalars(select(Asset).where(Asset.album_id == album.id)).one()
    kept = Kept(made.id, made.sha256)
    site.session.rollback()
    return kept


def rows(site: Site) -> list[dict[str, str]]:
    site.session.rollback()
    found = list(site.session.scalars(select(Outbox.body).order_by(Outbox.id)))
    site.session.rollback()
    return found


def stored(site: Site, asset: Kept) -> str:
    key = original_key(site.tenant_id, asset.id, asset.sha256)
    site.session.rollback()
    with site.blobs.open(key) as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def test_a_job_is_sent_when_its_original_is_there_and_no_sooner(site: Site, photo: Kept) -> None:
    made = copy_of(site, photo)
    assert relay.relay_once() == 0
    assert placing.place_once() == 1
    assert stored(site, made) == photo.sha256
    (row,) = rows(site)
    assert (row["kind"], row["asset"], "from" in row) == ("media", made.id, False)
    assert relay.relay_once() == 1
    assert placing.place_once() == 0


def test_the_request_behind_a_copy_is_kept(site: Site, photo: Kept) -> None:
    copy_of(site, photo)
    row = site.session.scalars(select(Outbox)).one()
    row.body = {**row.body, "trace": "request-1"}
    site.session.commit()
    placing.place_once()
    assert rows(site)[0]["trace"] == "request-1"


def test_a_crash_after_the_copy_is_made_good(site: Site, photo: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    made = copy_of(site, photo)

    def dies(*_: object) -> bool:
        raise ConnectionError

    monkeypatch.setattr(placing, "_claim", dies)
    assert placing.place_once() == 0
    monkeypatch.undo()
    assert stored(site, made) == photo.sha256
    assert "from" in rows(site)[0]
    assert placing.place_once() == 1
    assert "from" not in rows(site)[0]


def test_who_finds_the_row_gone_sends_nothing(site: Site, photo: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two upload hosts copy the same: the second settles what the first has settled."""
    copy_of(site, photo)
    wanted = placing._wanted(db.session())
    assert placing.place_once() == 1
    monkeypatch.setattr(placing, "_wanted", lambda _: wanted)
    assert placing.place_once() == 0
    assert len(rows(site)) == 1


def test_a_copy_of_a_copy_waits_for_the_first(site: Site, photo: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    first = copy_of(site, photo)
    second = copy_of(site, first, "Copies of copies")
    monkeypatch.setattr(placing.random, "shuffle", lambda found: found.reverse())
    assert placing.place_once() == 1
    assert placing.place_once() == 1
    assert stored(site, first) == stored(site, second) == photo.sha256


def test_a_source_that_is_gone_is_left_to_the_job(site: Site, photo: Kept) -> None:
    made = copy_of(site, photo)
    key = original_key(site.tenant_id, photo.id, photo.sha256)
    site.blobs.delete(key)
    assert placing.place_once() == 1
    assert [row["asset"] for row in rows(site)] == [made.id]


def test_one_that_fails_keeps_no_other(site: Site, photo: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = copy_of(site, photo), copy_of(site, photo, "More")
    copy = placing._copy

    def broken(site: Site, row: placing._Wanted) -> bool:
        if row.body["asset"] == first.id:
            raise ConnectionError
        return copy(site, row)

    monkeypatch.setattr(placing, "_copy", broken)
    assert placing.place_once() == 1
    assert {row["asset"]: "from" in row for row in rows(site)} == {first.id: True, second.id: False}


def ask(site: Site, world: World, old: str, new: str) -> None:
    album = site.session.get_one(Album, (site.tenant_id, world.alpha_album))
    replacing.ask(site, album, old, new)
    site.session.commit()


def test_a_replacement_waits_for_a_file_that_is_worked_on_and_then_gives_up(
    site: Site, world: World, photo: Kept, clock: ManualClock
) -> None:
    old = photo.id
    new = _photo(site, world, 1).id
    ask(site, world, old, new)
    site.session.get_one(Asset, (site.tenant_id, old)).state = AssetState.VIEWABLE
    site.session.commit()
    assert placing.place_once() == 0
    assert [row["kind"] for row in rows(site)] == ["replace"]
    clock.time += timedelta(hours=2)
    assert placing.place_once() == 1
    assert rows(site) == []
    assert site.session.get_one(Asset, (site.tenant_id, old), populate_existing=True).sha256 == photo.sha256


def test_asking_twice_replaces_once(site: Site, world: World, photo: Kept) -> None:
    old, new = photo.id, _photo(site, world, 1).id
    ask(site, world, old, new)
    ask(site, world, old, new)
    assert placing.place_once() == 2
    assert [(row["kind"], row["asset"]) for row in rows(site)] == [("media", old)]


def test_asking_for_what_cannot_be_is_refused_at_once(site: Site, world: World, photo: Kept) -> None:
    old, elsewhere = photo.id, copy_of(site, photo).id
    with pytest.raises(Problem) as refusal:
        ask(site, world, old, elsewhere)
    assert refusal.value.code == "not-found"


def test_the_thread_places_until_told_to_stop(core: Flask, site: Site, photo: Kept) -> None:
    made = copy_of(site, photo)
    stop = threading.Event()
    thread = threading.Thread(target=placing.run, args=(core, stop))
    thread.start()
    for _ in range(200):
        if "from" not in rows(site)[0]:
            break
        stop.wait(0.05)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert stored(site, made) == photo.sha256
