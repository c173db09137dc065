"""A machine of the processor fleet ends: with notice, by hand, or without a word. Nothing is lost, nothing done twice.

Real processes; our fake of IMDSv2 answers for EC2. Leases outlast every test here: what comes back was let go of.
"""

import shutil
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import imds_fake
import psutil
import pytest
from click.testing import Result
from conftest import World
from faults.conftest import Upload
from faults.processor_fleet import Fleet, RedisServer
from imds_fake import FakeImds

import wsgi
from infra.settings import load
from processor import cli
from tenants.catalog import Asset, AssetState
from tenants.db import db
from tenants.scope import ports

pytestmark = pytest.mark.faults

LEASE = 900


@pytest.fixture(scope="module")
def imds() -> Iterator[FakeImds]:
    fake = FakeImds()
    with pytest.MonkeyPatch.context() as patch, imds_fake.running(fake) as url:
        patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        patch.setenv("VITRINE_NOTICES", "ec2")
        yield fake


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World], imds: FakeImds) -> Iterator[Fleet]:
    """As `faults.conftest.fleet`, on a Spot machine and with long leases."""
    folder = tmp_path_factory.mktemp("spot")
    shutil.copyfile(populated[0], folder / "vitrine.db")
    redis = RedisServer(folder)
    settings = load(data_dir=folder, visibility=LEASE, max_receives=20, redis_url=redis.url)
    app = wsgi.core(settings)
    with app.app_context():
        running = Fleet(app, settings, redis, folder / "faults")
        yield running
        running.stop()
        redis.kill()
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(autouse=True)
def receiving(fleet: Fleet, imds: FakeImds) -> Iterator[None]:
    """The machine takes work again, whatever a test has left behind."""
    yield
    imds.notices.clear()
    assert drain(fleet, "--undo").exit_code == 0


def drain(fleet: Fleet, *options: str) -> Result:
    """`flask --app wsgi drain`, here instead of in one more process."""
    return fleet.app.test_cli_runner().invoke(cli.drain, options)


def only(fleet: Fleet, world: World, ids: list[str]) -> Asset:
    (asset,) = fleet.assets(world.alpha, ids)
    return asset


def test_on_notice_a_job_that_would_not_end_lets_go(
    fleet: Fleet, fleet_upload: Upload, world: World, imds: FakeImds
) -> None:
    fleet.arm_pause("before-commit")
    slow = fleet_upload(1)
    fleet.until(lambda: fleet.struck("before-commit") is not None, "the slow job is at work")
    job = psutil.Process(fleet.struck("before-commit"))
    began = ports().clock.now()
    imds.interrupt("terminate", (began + timedelta(seconds=25)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    fleet.until(lambda: ports().queue.depth().in_flight == 0, "its message is back")
    lease_end = only(fleet, world, slow).leased_until
    assert lease_end is not None
    assert lease_end <= ports().clock.now()
    fleet.until(lambda: not job.is_running(), "its process is gone")
    later = fleet_upload(1)
    fleet.until(lambda: ports().queue.depth().waiting == 2, "another waits beside it")
    assert only(fleet, world, later).fence == 0
    imds.notices.clear()  # As if on another machine: both are free for whoever asks.
    fleet.until_settled(world.alpha, slow + later)
    fleet.assert_ready_exactly_once(world.alpha, slow + later)
    assert (only(fleet, world, slow).fence, only(fleet, world, later).fence) == (2, 1)


def test_a_machine_is_drained_by_hand(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    fleet.arm("before-commit", what=signal.SIGSTOP)
    ids = fleet_upload(1)
    with fleet.stopped_at("before-commit"):
        failed = drain(fleet, "--timeout", "10")  # A bridge on a busy machine may take seconds to answer.
        assert failed.exit_code == 1
        assert "the bridge holds 1 messages, 1 workers are busy" in failed.output
    assert drain(fleet).exit_code == 0
    assert only(fleet, world, ids).state is AssetState.READY  # What runs may end; it is waited for.
    waiting = fleet_upload(3)
    fleet.until(lambda: ports().queue.depth().waiting == 3, "they are left to other machines")
    assert drain(fleet).exit_code == 0
    assert {asset.fence for asset in fleet.assets(world.alpha, waiting)} == {0}
    assert drain(fleet, "--undo").exit_code == 0
    fleet.until_settled(world.alpha, waiting)
    fleet.assert_ready_exactly_once(world.alpha, ids + waiting)
    assert {asset.fence for asset in fleet.assets(world.alpha, ids + waiting)} == {1}


def test_without_redis_nothing_is_said_to_be_drained(fleet: Fleet) -> None:
    fleet.redis.kill()
    try:
        failed = drain(fleet)
        assert failed.exit_code == 1
        assert "Redis does not answer" in failed.output
    finally:
        fleet.redis.start()


def test_a_stopped_fleet_lets_go_of_what_would_not_end(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    """SIGTERM of the workers, beyond their grace: no need to wait for the lease either."""
    fleet.arm_pause("decode")
    ids = fleet_upload(1)
    fleet.until(lambda: fleet.struck("decode") is not None, "the slow job is at work")
    fleet.restart("worker", within=40)
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)
    assert only(fleet, world, ids).fence == 2
