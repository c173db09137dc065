"""What reconcile finds and what it leaves alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from conftest import ManualClock, World
from flask import Flask
from sqlalchemy import select, update

from infra.local.queue import SqlQueue
from processor import lease, reconcile
from processor.giving_up import SENTENCE
from processor.jobs import scratch_root
from processor.reconcile import Graces
from tenants import catalog
from tenants.catalog import Album, Asset, AssetState, Rendition
from tenants.db import db
from tenants.names import new_id, original_key, rendition_key
from tenants.outbox import Outbox, media_job
from tenants.scope import Site, open_site, ports, settings
from tenants.usage import Meter, UsageEvent

DIGEST = "a" * 64
HOUR = timedelta(hours=1)


@dataclass
class Shelf:
    """Alpha's assets, with the test's clock."""

    clock: ManualClock
    tenant: str
    album: str

    def asset(self, **columns: Any) -> str:
        asset_id = new_id()
        with open_site(self.tenant) as site:
            album = site.session.get(Album, (self.tenant, self.album))
            assert album is not None
            asset = catalog.add_asset(
                site.session, album, asset_id=asset_id, filename="a.jpg", sha256=DIGEST, size=1000, now=site.now()
            )
            for name, value in columns.items():
                setattr(asset, name, value)
            site.session.commit()
            site.blobs.put(original_key(self.tenant, asset_id, DIGEST), b"original", content_type="image/jpeg")
        return asset_id

    def rendition(self, asset_id: str, generation: int, *, row: bool = True) -> str:
        key = rendition_key(self.tenant, asset_id, generation, "w320.jpg")
        with open_site(self.tenant) as site:
            site.blobs.put(key, b"picture", content_type="image/jpeg")
            if row:
                site.session.add(
                    Rendition(
                        tenant_id=self.tenant,
                        asset_id=asset_id,
                        generation=generation,
                        name="w320.jpg",
                        content_type="image/jpeg",
                        size=7,
                    )
                )
                site.session.commit()
        return key

    def change(self, asset_id: str, **columns: Any) -> None:
        with open_site(self.tenant) as site:
            site.session.execute(update(Asset).where(Asset.id == asset_id).values(**columns))
            site.session.commit()

    def get(self, asset_id: str) -> Asset | None:
        with open_site(self.tenant) as site:
            asset = site.session.get(Asset, (self.tenant, asset_id))
            site.session.expunge_all()
        return asset

    def stored(self) -> set[str]:
        with open_site(self.tenant) as site:
            return {info.key for info in site.blobs.list(f"t/{self.tenant}/")}

    def outbox(self) -> list[dict[str, Any]]:
        with open_site(self.tenant) as site:
            return list(site.session.scalars(select(Outbox.body)))


@pytest.fixture
def shelf(core: Flask, world: World, clock: ManualClock) -> Iterator[Shelf]:
    # Objects carry the file system's time, so the test's clock starts from the machine's.
    clock.time = ports().clock.now()
    core.extensions["vitrine.ports"] = replace(ports(), clock=clock, queue=SqlQueue(db.engine, clock, max_receives=2))
    yield Shelf(clock, world.alpha, world.alpha_album)


def test_nothing_to_do(shelf: Shelf) -> None:
    shelf.asset(state=AssetState.READY)
    assert str(reconcile.run()) == "nothing to do"


@pytest.mark.parametrize("state", [AssetState.RECEIVED, AssetState.PROCESSING, AssetState.VIEWABLE])
def test_a_forgotten_asset_is_asked_for_again_once(shelf: Shelf, state: AssetState) -> None:
    asset_id = shelf.asset(state=state)
    assert reconcile.run().requeued == 0
    shelf.clock.sleep(3601)
    assert reconcile.run().requeued == 1
    assert reconcile.run().requeued == 0
    assert shelf.outbox() == [media_job(shelf.tenant, asset_id)]
    with open_site(shelf.tenant) as site:
        assert lease.claim(site, asset_id, 60) is not None


def test_an_asset_whose_message_has_not_left_is_not_asked_for_again(shelf: Shelf) -> None:
    asset_id = shelf.asset()
    with open_site(shelf.tenant) as site:
        site.enqueue(media_job(shelf.tenant, asset_id))
        site.session.commit()
    shelf.clock.sleep(3601)
    assert reconcile.run().requeued == 0


def test_nothing_is_asked_for_again_while_messages_wait(shelf: Shelf) -> None:
    shelf.asset()
    ports().queue.send(media_job(shelf.tenant, new_id()), group=shelf.tenant)
    shelf.clock.sleep(3601)
    assert reconcile.run().requeued == 0


def test_what_someone_works_on_is_not_asked_for_again(shelf: Shelf) -> None:
    asset_id = shelf.asset()
    shelf.clock.sleep(3601)
    with open_site(shelf.tenant) as site:
        lease.claim(site, asset_id, 60)
    assert reconcile.run().requeued == 0


@pytest.mark.parametrize("state", [*catalog.TERMINAL])
def test_what_is_at_its_end_is_not_asked_for_again(shelf: Shelf, state: AssetState) -> None:
    shelf.asset(state=state)
    shelf.clock.sleep(3601)
    assert reconcile.run().requeued == 0


def kill(shelf: Shelf, asset_id: str) -> None:
    """Make the asset's message a dead letter."""
    ports().queue.send(media_job(shelf.tenant, asset_id), group=shelf.tenant)
    for _ in range(3):
        ports().queue.receive(10, visibility=timedelta(seconds=1))
        shelf.clock.sleep(1)


def test_an_asset_whose_message_died_is_failed(shelf: Shelf) -> None:
    asset_id = shelf.asset()
    kill(shelf, asset_id)
    assert reconcile.run().failed == 0
    shelf.clock.sleep(3601)
    report = reconcile.run()
    assert (report.failed, report.requeued) == (1, 0)
    asset = shelf.get(asset_id)
    assert asset is not None
    assert (asset.state, asset.reason) == (AssetState.FAILED, SENTENCE)
    assert reconcile.run().settled_dead_letters == 0  # It stays, to be tried again.


@pytest.mark.parametrize("columns", [{"state": AssetState.READY}, {"state": AssetState.REJECTED}, {"deleted": True}])
def test_a_dead_letter_whose_work_is_done_goes_back_to_be_deleted(shelf: Shelf, columns: dict[str, Any]) -> None:
    asset_id = shelf.asset()
    kill(shelf, asset_id)
    shelf.change(asset_id, **({"deleted_at": shelf.clock.now()} if "deleted" in columns else columns))
    assert reconcile.run().settled_dead_letters == 1
    assert ports().queue.dead() == []


def test_a_dead_letter_that_is_not_ours_stays(shelf: Shelf) -> None:
    ports().queue.send({"kind": "archive"}, group=shelf.tenant)
    for _ in range(3):
        ports().queue.receive(10, visibility=timedelta(seconds=1))
        shelf.clock.sleep(1)
    reconcile.run()
    assert reconcile.redrive() == 0
    assert len(ports().queue.dead()) == 1


def test_a_superseded_generation_goes_after_its_grace(shelf: Shelf) -> None:
    asset_id = shelf.asset(state=AssetState.READY, generation=2, fence=2, ready_at=shelf.clock.now())
    old, new = shelf.rendition(asset_id, 1), shelf.rendition(asset_id, 2)
    assert reconcile.run().superseded_generations == 0
    shelf.clock.sleep(3601)
    assert reconcile.run().superseded_generations == 1
    keys = shelf.stored()
    assert new in keys
    assert old not in keys
    with open_site(shelf.tenant) as site:
        assert [row.generation for row in site.session.scalars(select(Rendition))] == [2]


def test_what_a_failed_rebuild_left_goes_too(shelf: Shelf) -> None:
    asset_id = shelf.asset(state=AssetState.READY, generation=1, fence=3, ready_at=shelf.clock.now())
    shown, left = shelf.rendition(asset_id, 1), shelf.rendition(asset_id, 3)
    shelf.clock.sleep(3601)
    assert reconcile.run().superseded_generations == 1
    assert shown in shelf.stored() and left not in shelf.stored()


def test_a_generation_is_not_superseded_before_the_new_one_is_whole(shelf: Shelf) -> None:
    asset_id = shelf.asset(state=AssetState.VIEWABLE, generation=2, fence=2)
    shelf.rendition(asset_id, 1)
    shelf.clock.sleep(30 * 24 * 3600)
    assert reconcile.run().superseded_generations == 0


def test_objects_of_a_killed_attempt_go_when_they_are_old(shelf: Shelf) -> None:
    asset_id = shelf.asset(state=AssetState.READY, generation=2, fence=2, ready_at=shelf.clock.now())
    left, shown = shelf.rendition(asset_id, 1, row=False), shelf.rendition(asset_id, 2)
    assert reconcile.run().orphan_renditions == 0
    shelf.clock.sleep(26 * 3600)
    assert reconcile.run().orphan_renditions == 1
    assert shown in shelf.stored()
    assert left not in shelf.stored()


def test_objects_of_an_attempt_that_runs_stay(shelf: Shelf) -> None:
    asset_id = shelf.asset()
    key = shelf.rendition(asset_id, 1, row=False)
    shelf.clock.sleep(26 * 3600)
    with open_site(shelf.tenant) as site:
        lease.claim(site, asset_id, 60)
    assert reconcile.run().orphan_renditions == 0
    assert key in shelf.stored()


def test_an_original_without_an_asset_goes_when_it_is_old(shelf: Shelf) -> None:
    kept = original_key(shelf.tenant, shelf.asset(state=AssetState.READY), DIGEST)
    orphan = original_key(shelf.tenant, new_id(), DIGEST)
    with open_site(shelf.tenant) as site:
        site.blobs.put(orphan, b"x", content_type="image/jpeg")
    assert reconcile.run().orphan_originals == 0
    shelf.clock.sleep(26 * 3600)
    assert reconcile.run().orphan_originals == 1
    assert shelf.stored() == {kept}


def test_scratch_of_claims_that_ended_goes(shelf: Shelf) -> None:
    asset_id = shelf.asset()
    with open_site(shelf.tenant) as site:
        lease.claim(site, asset_id, 60)
    root = scratch_root(settings().data_dir)
    live, old, strange = (root / name for name in (f"{asset_id}-1", f"{asset_id}-0", "strange"))
    for folder in (live, old, strange):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    assert reconcile.run().scratch_folders == 2
    assert list(root.iterdir()) == [live]
    shelf.clock.sleep(61)
    assert reconcile.run().scratch_folders == 1


def deleted_events(site: Site) -> list[tuple[str, float]]:
    return [(event.id, event.quantity) for event in site.session.scalars(select(UsageEvent))]


def test_a_deleted_asset_is_purged_when_it_cannot_come_back(shelf: Shelf) -> None:
    asset_id = shelf.asset(state=AssetState.READY, generation=1, fence=1, deleted_at=shelf.clock.now())
    shelf.rendition(asset_id, 1)
    with open_site(shelf.tenant) as site:
        site.media.put(asset_id, {"camera": "Kodak"})
    shelf.clock.sleep(29 * 24 * 3600)
    assert reconcile.run().purged_assets == 0
    shelf.clock.sleep(2 * 24 * 3600)
    assert reconcile.run().purged_assets == 1
    assert reconcile.run().purged_assets == 0
    assert shelf.get(asset_id) is None
    assert shelf.stored() == set()
    with open_site(shelf.tenant) as site:
        assert site.media.get(asset_id) == {}
        assert deleted_events(site) == [(f"purge:{asset_id}", -1000)]
        assert site.session.scalars(select(Rendition)).all() == []
        assert site.session.scalars(select(UsageEvent.meter)).all() == [Meter.STORED]


def test_a_deleted_album_is_purged_with_its_assets(shelf: Shelf) -> None:
    asset_id = shelf.asset(state=AssetState.READY)
    with open_site(shelf.tenant) as site:
        site.session.execute(update(Album).where(Album.id == shelf.album).values(deleted_at=shelf.clock.now()))
        site.session.commit()
    shelf.clock.sleep(31 * 24 * 3600)
    report = reconcile.run(Graces())
    assert (report.purged_assets, report.purged_albums) == (1, 1)
    assert shelf.get(asset_id) is None
    with open_site(shelf.tenant) as site:
        assert site.session.get(Album, (shelf.tenant, shelf.album)) is None


def test_other_tenants_are_untouched(shelf: Shelf, world: World) -> None:
    key = f"t/{world.beta}/b/{DIGEST}"
    ports().blobs.put(key, b"logo", content_type="image/png")
    shelf.clock.sleep(365 * 24 * 3600)
    reconcile.run()
    assert ports().blobs.stat(key).size == 4
