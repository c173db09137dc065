"""The processor fleet on SQS, SimpleDB and CloudWatch: moto's server, corrected, and our fake SimpleDB behind them."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aws_double
import pytest
import simpledb_server
from conftest import World
from fault_proxy import FaultProxy, faulty
from faults.conftest import Upload
from faults.processor_fleet import Fleet, deliver_again
from simpledb_fake import FakeSimpleDb
from sqlalchemy import select

from infra.aws.simpledb_domains import MARK
from tenants.outbox import Outbox
from tenants.scope import open_site, ports

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Behind:
    """The process of this module's own moto server, and the way to it for those who want SQS."""

    pid: int
    queue: FaultProxy
    simpledb: FakeSimpleDb


@pytest.fixture(scope="module", autouse=True)
def behind() -> Iterator[Behind]:
    """Everything for AWS in the environment of this module's fleet. SimpleDB's domains are there, as of a stack."""
    simpledb, domains = FakeSimpleDb(), ["stack-Media0-Z9", "stack-Media1-A1", "stack-Media2-K3"]
    for name in domains:
        simpledb.answer({"Action": "CreateDomain", "DomainName": name})
    simpledb.calls.clear()
    with (
        pytest.MonkeyPatch.context() as patch,
        aws_double.running() as (url, pid),
        faulty(url, one_in=0) as queue,
        simpledb_server.running(simpledb) as simpledb_url,
    ):
        for name, value in {
            "VITRINE_QUEUE": "sqs",
            "VITRINE_SQS_QUEUE": "jobs",
            "VITRINE_MEDIA_METADATA": "simpledb",
            "VITRINE_SIMPLEDB_DOMAINS": ",".join(domains),
            "VITRINE_METRICS": "cloudwatch",
            "VITRINE_AWS_REGION": "us-east-1",
            "VITRINE_AWS_ENDPOINT_URL": "",
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_SQS": queue.url,
            "AWS_ENDPOINT_URL_SIMPLEDB": simpledb_url,
            "AWS_ACCESS_KEY_ID": "double",
            "AWS_SECRET_ACCESS_KEY": "double",
        }.items():
            patch.setenv(name, value)
        yield Behind(pid, queue, simpledb)


def test_a_photo_passes_through_all_of_them(
    fleet: Fleet, fleet_upload: Upload, world: World, camera_photo: Path, behind: Behind
) -> None:
    began = ports().clock.now()
    ids = fleet_upload(3, camera_photo)
    fleet.until_settled(world.alpha, ids)
    fleet.assert_ready_exactly_once(world.alpha, ids)
    with open_site(world.alpha) as site:
        assert {site.media.get(asset_id)["camera"] for asset_id in ids} == {"Fujifilm X100 V"}
    assert "CreateDomain" not in behind.simpledb.calls
    assert all(MARK in items for items in behind.simpledb.domains.values())  # By the first job's own process.

    def seconds() -> float:
        end = ports().clock.now() + timedelta(minutes=1)
        return ports().metrics.total("job.seconds", began, end, tenant=world.alpha, kind="photo")

    fleet.until(lambda: seconds() > 0, "the jobs' metrics arrive, although their processes are gone")


def test_processes_killed_on_the_way_of_messages_that_come_again(
    fleet: Fleet, fleet_upload: Upload, world: World
) -> None:
    fleet.arm("receive", "enqueue", "before-delete", "claim", "before-publish", "before-commit")
    ids = fleet_upload(4)
    deliver_again(world.alpha, ids, 4)
    fleet.until_settled(world.alpha, ids, seconds=240)
    assert fleet.armed() == set()
    fleet.assert_ready_exactly_once(world.alpha, ids)


def test_aws_does_not_answer_for_a_while(fleet: Fleet, fleet_upload: Upload, world: World, behind: Behind) -> None:
    """Longer than a visibility timeout. No process dies of it, and what was uploaded meanwhile becomes ready."""
    before = {name: process.pid for name, process in fleet.processes.items()}
    ids = fleet_upload(2)
    os.kill(behind.pid, signal.SIGSTOP)
    try:
        ids += fleet_upload(2)
        time.sleep(8)
    finally:
        os.kill(behind.pid, signal.SIGCONT)
    fleet.until_settled(world.alpha, ids, seconds=240)
    fleet.assert_ready_exactly_once(world.alpha, ids)
    assert {name: process.pid for name, process in fleet.processes.items()} == before


def test_the_queue_cannot_be_reached_for_a_minute(
    fleet: Fleet, fleet_upload: Upload, world: World, behind: Behind
) -> None:
    """Scaled down: a connection that breaks for 15 s, with messages that are invisible for 2 s and not for 60.

    What was uploaded before, and had been received, is not lost; what is uploaded meanwhile waits in the outbox.
    """
    before = {name: process.pid for name, process in fleet.processes.items()}
    fleet.arm("decode", what=signal.SIGSTOP)
    ids = fleet_upload(2)
    with fleet.stopped_at("decode"):
        behind.queue.away = True
        ids += fleet_upload(2)
        time.sleep(5)
    time.sleep(10)
    assert behind.queue.hit["hang up"] > 0
    with open_site(world.alpha) as site:
        waiting = site.session.scalars(select(Outbox.body)).all()
    assert {body["asset"] for body in waiting} >= set(ids[2:])
    behind.queue.away = False
    fleet.until_settled(world.alpha, ids, seconds=240)
    fleet.assert_ready_exactly_once(world.alpha, ids)
    assert {name: process.pid for name, process in fleet.processes.items()} == before
