"""The processor fleet on SQS, SimpleDB and CloudWatch: moto's server, corrected, and our fake SimpleDB behind them."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import aws_double
import pytest
import simpledb_server
from conftest import World
from faults.conftest import Upload
from faults.processor_fleet import Fleet
from simpledb_fake import FakeSimpleDb

from tenants.outbox import media_job
from tenants.scope import open_site, ports

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module", autouse=True)
def moto_pid() -> Iterator[int]:
    """Everything for AWS in the environment of this module's fleet; the process of a moto server of its own."""
    with (
        pytest.MonkeyPatch.context() as patch,
        aws_double.running() as (url, pid),
        simpledb_server.running(FakeSimpleDb()) as simpledb,
    ):
        for name, value in {
            "VITRINE_QUEUE": "sqs",
            "VITRINE_SQS_QUEUE": "jobs",
            "VITRINE_MEDIA_METADATA": "simpledb",
            "VITRINE_SIMPLEDB_DOMAIN": "media",
            "VITRINE_METRICS": "cloudwatch",
            "VITRINE_AWS_REGION": "us-east-1",
            "VITRINE_AWS_ENDPOINT_URL": "",
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_SIMPLEDB": simpledb,
            "AWS_ACCESS_KEY_ID": "double",
            "AWS_SECRET_ACCESS_KEY": "double",
        }.items():
            patch.setenv(name, value)
        yield pid


def test_a_photo_passes_through_all_of_them(
    fleet: Fleet, fleet_upload: Upload, world: World, camera_photo: Path
) -> None:
    began = ports().clock.now()
    ids = fleet_upload(3, camera_photo)
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)
    with open_site(world.alpha) as site:
        assert {site.media.get(asset_id)["camera"] for asset_id in ids} == {"Fujifilm X100 V"}

    def seconds() -> float:
        end = ports().clock.now() + timedelta(minutes=1)
        return ports().metrics.total("job.seconds", began, end, tenant=world.alpha, kind="photo")

    fleet.until(lambda: seconds() > 0, "the jobs' metrics arrive, although their processes are gone")


def test_messages_delivered_many_times(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    ids = fleet_upload(3)
    for asset_id in ids * 4:
        ports().queue.send(media_job(world.alpha, asset_id), group=world.alpha)
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)
    assert [asset.fence for asset in fleet.assets(world.alpha, ids)] == [1, 1, 1]


def test_processes_killed_on_the_way(fleet: Fleet, fleet_upload: Upload, world: World) -> None:
    points = ["receive", "enqueue", "before-delete", "claim", "before-publish", "before-commit"]
    for point in points:
        fleet.arm(point)
    ids = fleet_upload(4)
    fleet.until_settled(world.alpha, ids, seconds=240)
    assert fleet.armed() == set()
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_aws_does_not_answer_for_a_while(fleet: Fleet, fleet_upload: Upload, world: World, moto_pid: int) -> None:
    """Longer than a visibility timeout. No process dies of it, and what was uploaded meanwhile becomes ready."""
    before = {name: process.pid for name, process in fleet.processes.items()}
    ids = fleet_upload(2)
    os.kill(moto_pid, signal.SIGSTOP)
    try:
        ids += fleet_upload(2)
        time.sleep(8)
    finally:
        os.kill(moto_pid, signal.SIGCONT)
    fleet.until_settled(world.alpha, ids, seconds=240)
    fleet.assert_ready_exactly_once(world.alpha, ids)
    assert {name: process.pid for name, process in fleet.processes.items()} == before
