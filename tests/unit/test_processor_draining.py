"""A bridge whose machine is about to end, or that an operator drains."""

from collections.abc import Iterator
from datetime import timedelta

import imds_fake
import pytest
from bridge_stage import Stage
from flask import Flask
from imds_fake import FakeImds
from rq.worker import WorkerStatus

from infra.aws.imds import Ec2Notices
from infra.local.notices import NoNotices
from infra.ports import Depth
from processor.spot import Watch
from tenants.catalog import AssetState
from tenants.scope import ports


@pytest.fixture
def imds(stage: Stage) -> Iterator[FakeImds]:
    """The bridge's machine is on EC2: our fake of IMDSv2 answers it."""
    fake = FakeImds()
    with imds_fake.running(fake) as url:
        stage.bridge.watch = Watch(Ec2Notices(url), ports().clock, every=0)
        yield fake


def interrupt(imds: FakeImds, seconds: float) -> None:
    at = ports().clock.now() + timedelta(seconds=seconds)
    imds.interrupt("terminate", at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def look_and_step(stage: Stage) -> None:
    assert stage.bridge.watch is not None
    stage.bridge.watch.look()
    stage.bridge.step()


def test_on_notice_it_hands_back_what_has_not_started_and_sees_to_what_runs(stage: Stage, imds: FakeImds) -> None:
    first, second = stage.send(), stage.send()
    look_and_step(stage)
    assert stage.dispatch.fleet().queued == {f"{first}-1", f"{second}-1"}
    stage.dispatch.queue.pop_job_id()  # One has been taken by a worker.
    stage.workers[0].set_state(WorkerStatus.BUSY)
    interrupt(imds, 120)
    look_and_step(stage)
    assert [held.message.id for held in stage.bridge.held] == [first]
    assert stage.queue.depth() == Depth(waiting=1, in_flight=1, dead=0, oldest=stage.queue.depth().oldest)
    look_and_step(stage)  # It does not receive again what it has handed back.
    assert stage.dispatch.fleet().queued == frozenset()
    stage.set_state(AssetState.READY)
    look_and_step(stage)
    assert stage.bridge.held == []


def test_what_a_draining_machine_let_go_of_is_another_hosts_at_once(stage: Stage, imds: FakeImds) -> None:
    sent = stage.send()
    look_and_step(stage)
    interrupt(imds, 20)
    stage.fail(f"{sent}-1")
    look_and_step(stage)
    assert stage.bridge.held == []
    assert stage.queue.depth().waiting == 1  # Without the pause that follows a failure elsewhere.


def test_it_receives_again_when_the_notice_is_withdrawn(stage: Stage, imds: FakeImds) -> None:
    interrupt(imds, 120)
    stage.send()
    look_and_step(stage)
    assert stage.bridge.held == []
    imds.notices.clear()
    look_and_step(stage)
    assert len(stage.bridge.held) == 1


def test_a_recommendation_to_rebalance_stops_nothing(stage: Stage, imds: FakeImds) -> None:
    imds.recommend_rebalance("2026-11-25T12:00:00Z")
    stage.send()
    look_and_step(stage)
    assert len(stage.bridge.held) == 1


def test_the_last_receive_is_not_handed_back(stage: Stage) -> None:
    """It would become a dead letter without having been tried."""
    sent = stage.send()
    stage.queue.receive(1, visibility=timedelta())
    stage.bridge.step()
    stage.dispatch.drain(True)
    stage.bridge.step()
    assert stage.dispatch.fleet().queued == {f"{sent}-2"}
    assert stage.dispatch.held() == 1


def test_an_operator_drains_and_undoes_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.send()
    assert stage.dispatch.held() is None
    stage.dispatch.drain(True)
    stage.bridge.step()
    assert (stage.bridge.held, stage.dispatch.held()) == ([], 0)
    stage.dispatch.drain(False)
    stage.bridge.step()
    assert (len(stage.bridge.held), stage.dispatch.held()) == (1, None)


def test_notices_are_asked_for_every_so_often(core: Flask) -> None:
    watch = Watch(NoNotices(), ports().clock, every=60)
    assert [watch.look(), watch.look()] == [True, False]
    assert watch.seconds_left is None
