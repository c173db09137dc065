"""Processors die at every point of a photo's way, and every photo becomes ready exactly once."""

import contextlib
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from conftest import World
from faults.conftest import Upload
from faults.processor_fleet import Fleet, RedisServer, deliver_again
from sqlalchemy import func, select

from processor import reconcile
from tenants.catalog import Asset, AssetState, Kind, Rendition
from tenants.scope import open_site
from tenants.usage import UsageEvent

pytestmark = pytest.mark.faults


def names_of(fleet: Fleet, tenant: str, asset_id: str) -> list[str]:
    with open_site(tenant) as site:
        return list(site.session.scalars(select(Rendition.name).where(Rendition.asset_id == asset_id)))


def test_a_worker_killed_at_each_point(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    (first,) = fleet_upload(1)
    fleet.until_settled(world.alpha, [first])
    writes = [f"write-{name}" for name in names_of(fleet, world.alpha, first)]
    points = ["claim", "decode", *writes, "before-publish", "after-publish", "before-commit", "after-commit"]
    fleet.arm(*points)
    ids = fleet_upload(len(points))
    fleet.until_settled(world.alpha, ids, seconds=240)
    assert fleet.armed() == set()
    fleet.assert_ready_exactly_once(world.alpha, ids)
    # Each kill but the one after the commit cost an attempt: the photos were not spared.
    assert sum(asset.fence - 1 for asset in fleet.assets(world.alpha, ids)) == len(points) - 1


def test_a_bridge_killed_at_each_point(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    fleet.arm("receive", "enqueue", "before-delete")
    ids = fleet_upload(3)
    fleet.until_settled(world.alpha, ids, seconds=240)
    assert fleet.armed() == set()
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_a_worker_killed_while_a_video_is_watched(fleet: Fleet, fleet_upload: Upload, world: World, film: Path) -> None:
    """The lowest rung is shown when its worker dies; the next attempt makes all of it anew, and it counts once."""
    fleet.arm("write-hls/master.m3u8")
    ids = fleet_upload(1, film)
    fleet.until(lambda: fleet.armed() == set(), "the worker dies")
    assert fleet.assets(world.alpha, ids)[0].state is AssetState.VIEWABLE
    fleet.until_settled(world.alpha, ids, seconds=240)
    (asset,) = fleet.assets(world.alpha, ids)
    assert (asset.kind, asset.generation) == (Kind.VIDEO, 2)
    with open_site(world.alpha) as site:
        seconds = {
            event.id: event.quantity
            for event in site.session.scalars(select(UsageEvent).where(UsageEvent.asset_id == asset.id))
        }
    assert seconds == {f"video_in:{asset.id}": pytest.approx(1), f"video_out:{asset.id}": pytest.approx(1)}


@pytest.fixture
def second_host(fleet: Fleet, tmp_path: Path) -> Iterator[Fleet]:
    """Another relay, bridge and workers on the same database and queue, with a Redis of their own."""
    redis = RedisServer(tmp_path)
    running = Fleet(fleet.app, fleet.settings, redis, tmp_path / "second")
    yield running
    running.stop()
    redis.kill()


def test_messages_delivered_five_times_in_any_order(
    fleet: Fleet, second_host: Fleet, fleet_upload: Upload, world: World
) -> None:
    """To two hosts, of which workers die on the way: the newest generation is shown, and each photo counts once."""
    for host in (fleet, second_host):
        host.arm("before-publish", "before-commit")
    ids = fleet_upload(8)
    deliver_again(world.alpha, ids, 4)  # The relay sends the fifth.

    def over() -> bool:
        second_host.tend()
        ready, struck = fleet.settled(world.alpha, ids), second_host.armed() == fleet.armed() == set()
        if ready and not struck:  # One host was quick enough to do them all, so the other has met nothing yet.
            more = fleet_upload(4)
            deliver_again(world.alpha, more, 4)
            ids.extend(more)
        return ready and struck

    fleet.until(over, "workers of both hosts have died, and all is ready")
    fleet.assert_ready_exactly_once(world.alpha, ids)
    assets = fleet.assets(world.alpha, ids)
    assert [asset.generation for asset in assets] == [asset.fence for asset in assets]
    # Each of the four kills cost an attempt; on a machine that is slow enough, leases that ran out cost more.
    assert sum(asset.fence - 1 for asset in assets) >= 4
    with open_site(world.alpha) as site:
        newest = select(Rendition.asset_id, func.max(Rendition.generation)).where(Rendition.asset_id.in_(ids))
        newest = newest.group_by(Rendition.asset_id).order_by(Rendition.asset_id)
        assert list(site.session.execute(newest)) == [(asset.id, asset.generation) for asset in assets]


@pytest.mark.parametrize("point", ["before-publish", "before-commit"])
def test_a_late_writer_changes_no_row(fleet: Fleet, fleet_upload: Upload, world: World, point: str) -> None:
    """Its RQ worker is killed, it is stopped past its lease, another makes the asset ready; then it goes on."""
    fleet.arm(point, what=signal.SIGSTOP)
    ids = fleet_upload(1)
    with fleet.stopped_at(point) as late:
        worker = late.parent()
        assert worker is not None
        worker.kill()
        fleet.until_settled(world.alpha, ids)
        before = rows_of(world.alpha, ids[0])
        assert before[0]["fence"] == before[0]["generation"] == 2
    fleet.until(lambda: not late.is_running() or late.status() == psutil.STATUS_ZOMBIE, "the late writer ends")
    assert rows_of(world.alpha, ids[0]) == before
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_a_job_outlives_its_rq_worker(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    """Killing only the parent wastes nothing: its child keeps the lease, so the message is not worked on again."""
    fleet.arm("decode", what=signal.SIGSTOP)
    ids = fleet_upload(1)
    with fleet.stopped_at("decode") as job:
        worker = job.parent()
        assert worker is not None
        worker.kill()
    fleet.until_settled(world.alpha, ids)
    assert fleet.assets(world.alpha, ids)[0].fence == 1


def test_a_stopped_fleet_loses_nothing(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    """SIGTERM ends bridge and workers in bounded time, also while a job hangs; its work is done by the next."""
    fleet.arm("before-commit", what=signal.SIGSTOP)
    ids = fleet_upload(2)
    with fleet.stopped_at("before-commit") as hanging:
        fleet.restart("bridge", within=20)
        fleet.restart("worker", within=40)
        fleet.until(lambda: not hanging.is_running(), "the hanging job is killed")
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_a_host_vanishes(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    """A Spot machine taken away without notice: bridge, workers, jobs and Redis at once. Another takes over."""
    fleet.arm("decode", what=signal.SIGSTOP)
    ids = fleet_upload(2)
    with fleet.stopped_at("decode") as job:
        host = [psutil.Process(fleet.processes[name].pid) for name in ("bridge", "worker")]
        for process in (*host, *host[1].children(recursive=True), job):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        fleet.redis.kill()
    fleet.redis.start()
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_redis_forgets_everything_at_each_stage(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    points = ["receive", "enqueue", "claim", "decode", "before-publish", "after-publish", "before-commit"]
    points += ["after-commit", "before-delete"]
    fleet.arm(*points, what=signal.SIGSTOP)
    ids = fleet_upload(len(points))
    for point in points:
        with fleet.stopped_at(point):
            fleet.redis.flush()
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_redis_forgets_everything_all_the_time(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    ids = fleet_upload(4)
    for _ in range(15):
        fleet.redis.flush()
        time.sleep(0.2)
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_redis_dies_and_comes_back(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    fleet.arm("decode", what=signal.SIGSTOP)
    ids = fleet_upload(3)
    with fleet.stopped_at("decode"):
        fleet.redis.kill()
    time.sleep(2)
    fleet.redis.start()
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_nothing_is_left_over(fleet: Fleet, world: World) -> None:
    """Runs last: after one sweep, what is stored is what the rows say, in spite of all those kills."""
    now = timedelta()
    time.sleep(fleet.settings.visibility)  # The last leases run out.
    report = reconcile.run(reconcile.Graces(idle=now, superseded=now, orphan=now, undo=timedelta(days=30)))
    assert report.requeued == report.failed == 0
    with open_site(world.alpha) as site:
        shown = {
            f"t/{world.alpha}/r/{asset}/{generation}/{name}"
            for asset, generation, name in site.session.execute(
                select(Rendition.asset_id, Rendition.generation, Rendition.name)
            )
        }
        originals = {f"t/{world.alpha}/o/{asset.id}/{asset.sha256}" for asset in site.session.scalars(select(Asset))}
        assert {info.key for info in site.blobs.list(f"t/{world.alpha}/")} == shown | originals
        generations = select(Rendition.asset_id, Rendition.generation).distinct()
        assert set(site.session.execute(generations)) == set(site.session.execute(select(Asset.id, Asset.generation)))
        assert set(site.session.scalars(select(Asset.state))) == {AssetState.READY}
    assert list((fleet.settings.data_dir / "scratch").iterdir()) == []


def rows_of(tenant: str, asset_id: str) -> list[dict[str, object]]:
    """The asset and its renditions, column by column."""
    with open_site(tenant) as site:
        asset = site.session.execute(select(*Asset.__table__.c).where(Asset.id == asset_id)).mappings().one()
        renditions = site.session.execute(
            select(*Rendition.__table__.c).where(Rendition.asset_id == asset_id).order_by(Rendition.name)
        ).mappings()
        return [dict(asset), *(dict(row) for row in renditions)]
