"""What the bridge does with a message, from the database and from RQ."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
from bridge_stage import Stage
from loopback import free_port
from rq.worker import WorkerStatus

from infra.ports import Depth
from processor import bridge, lease, reconcile
from processor.dispatch import Dispatch, connect
from processor.giving_up import SENTENCE
from tenants.catalog import AssetState
from tenants.scope import open_site, ports


def test_it_receives_only_what_workers_can_start(stage: Stage) -> None:
    for _ in range(5):
        stage.send()
    stage.workers[0].set_state(WorkerStatus.BUSY)
    stage.bridge.step()
    assert len(stage.bridge.held) == 1
    stage.bridge.step()
    assert len(stage.bridge.held) == 1
    assert stage.queue.depth().waiting == 4


def test_it_receives_nothing_without_workers_and_waits_for_some(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.send()
    for each in stage.workers:
        each.register_death()
    monkeypatch.setattr(bridge, "POLL_SECONDS", 0.3)
    began = time.monotonic()
    stage.bridge.step()
    assert time.monotonic() - began >= 0.3  # Not in a busy loop.
    assert stage.bridge.held == []
    assert stage.queue.depth().waiting == 1


def test_a_silent_worker_is_not_counted_on(stage: Stage) -> None:
    for each in stage.workers:
        stage.dispatch.connection.hset(each.key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert stage.dispatch.fleet().workers == 0


def test_a_forgotten_worker_makes_itself_known_again(stage: Stage) -> None:
    stage.dispatch.connection.flushall()
    assert stage.dispatch.fleet().workers == 0
    stage.workers[0].heartbeat()
    assert stage.dispatch.fleet().free == 1


def test_a_message_stays_invisible_while_its_job_is_queued(stage: Stage) -> None:
    stage.send()
    stage.bridge.step()
    for _ in range(8):
        ports().clock.sleep(0.1)
        stage.bridge.step()
        assert stage.queue.depth().in_flight == 1


def test_it_deletes_when_the_database_says_that_the_work_is_done(stage: Stage) -> None:
    stage.send()
    stage.bridge.step()
    (held,) = stage.bridge.held
    assert held.job_id is not None
    stage.dispatch.connection.flushall()  # RQ knows nothing; it does not matter.
    stage.set_state(AssetState.READY)
    stage.bridge.step()
    assert stage.queue.depth().in_flight == 0
    assert stage.bridge.held == []


def test_it_deletes_without_a_job_what_is_done_already(stage: Stage) -> None:
    stage.set_state(AssetState.REJECTED)
    stage.send()
    stage.bridge.step()
    assert stage.dispatch.fleet().queued == frozenset()
    assert stage.queue.depth().in_flight == 0


def test_it_watches_an_asset_that_another_works_on(stage: Stage) -> None:
    """No second job, and no receive wasted, until that lease ends without a result."""
    with open_site(stage.tenant) as site:
        held = lease.claim(site, stage.asset, 60)
        assert held is not None
        stage.send()
        stage.bridge.step()
        stage.bridge.step()
        assert stage.dispatch.fleet().queued == frozenset()
        lease.release(site, held)
    stage.bridge.step()
    assert len(stage.dispatch.fleet().queued) == 1


def test_a_failed_job_comes_back_then_the_tenant_is_told_and_may_retry(stage: Stage) -> None:
    sent = stage.send()
    for receive in (1, 2):
        stage.bridge.step()
        assert stage.dispatch.fleet().queued == {f"{sent}-{receive}"}
        assert stage.state() == (AssetState.RECEIVED, "")
        stage.fail(f"{sent}-{receive}")
        stage.bridge.step()
        assert stage.bridge.held == []
        ports().clock.sleep(0.5)
    assert stage.state() == (AssetState.FAILED, SENTENCE)
    now, day = ports().clock.now(), timedelta(days=1)
    assert ports().metrics.total("job.errors", now - day, now + day, tenant=stage.tenant, cause="given up") == 1
    stage.bridge.step()
    assert [letter.id for letter in stage.queue.dead()] == [sent]
    assert reconcile.redrive() == 1
    assert stage.state() == (AssetState.RECEIVED, "")
    stage.bridge.step()
    assert len(stage.dispatch.fleet().queued) == 1


def test_a_job_that_redis_forgot_comes_back(stage: Stage) -> None:
    stage.send()
    stage.bridge.step()
    stage.dispatch.connection.flushall()
    stage.workers[0].heartbeat()
    stage.bridge.step()
    assert stage.bridge.held == []
    assert stage.queue.depth().dead == 0
    ports().clock.sleep(0.5)
    stage.bridge.step()
    assert len(stage.bridge.held) == 1


def test_a_job_that_a_dead_worker_took_comes_back(stage: Stage) -> None:
    """RQ goes on saying `queued` for a job that a worker had popped when it died."""
    sent = stage.send()
    stage.bridge.step()
    stage.dispatch.queue.pop_job_id()
    stage.bridge.step()
    assert len(stage.bridge.held) == 1
    ports().clock.sleep(0.5)
    stage.bridge.step()
    assert stage.bridge.held == []
    assert stage.dispatch.look([f"{sent}-1"])[1] == {f"{sent}-1": None}


def test_what_is_not_ours_becomes_a_dead_letter(stage: Stage) -> None:
    stage.queue.send({"kind": "archive"}, group=stage.tenant)
    for _ in range(3):
        stage.bridge.step()
        ports().clock.sleep(0.5)
    assert [letter.body for letter in stage.queue.dead()] == [{"kind": "archive"}]


def test_on_stopping_it_hands_back_what_has_not_started(stage: Stage) -> None:
    stage.send()
    stage.send()
    stage.bridge.step()
    stage.dispatch.queue.pop_job_id()  # One has been taken by a worker.
    stage.bridge.stop()
    stage.bridge.run()
    assert stage.dispatch.fleet().queued == frozenset()
    depth = stage.queue.depth()
    assert (depth.waiting, depth.in_flight, depth.dead) == (1, 1, 0)


def test_while_jobs_are_short_one_more_for_each_worker_lies_ready(stage: Stage) -> None:
    for _ in range(8):
        stage.send()
    stage.bridge.pace.seconds = 0.01
    for each in stage.workers:
        each.set_state(WorkerStatus.BUSY)
    for _ in range(3):
        stage.bridge.step()
    assert len(stage.bridge.held) == len(stage.dispatch.fleet().queued) == 2
    assert stage.queue.depth().waiting == 6


def test_what_lies_for_long_goes_back_unless_it_was_the_last_receive(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.send()
    stage.bridge.pace.seconds = 0.01
    monkeypatch.setattr(bridge, "LONG_LYING_SECONDS", 0.0)
    stage.bridge.step()  # Handed out.
    stage.bridge.step()  # Nobody has come to it.
    assert stage.bridge.held == []
    assert stage.dispatch.fleet().queued == frozenset()
    assert stage.queue.depth().waiting == 1
    assert stage.bridge.pace.ready(2) == 0
    stage.bridge.step()
    stage.bridge.step()
    assert [held.message.receives for held in stage.bridge.held] == [2]


def test_another_bridges_message_is_let_go(stage: Stage) -> None:
    stage.send()
    stage.bridge.step()
    ports().clock.sleep(0.5)
    assert len(stage.queue.receive(1, visibility=timedelta(seconds=60))) == 1
    stage.bridge.step()
    assert stage.bridge.held == []


def test_two_bridges_share_the_work_and_inherit_it(stage: Stage) -> None:
    sent = {stage.send() for _ in range(2)}
    stage.workers[1].set_state(WorkerStatus.BUSY)
    other = replace(stage.bridge, held=[])
    stage.bridge.step()
    stage.workers[1].set_state(WorkerStatus.IDLE)
    other.step()
    assert {held.message.id for held in (*stage.bridge.held, *other.held)} == sent
    assert (len(stage.bridge.held), len(other.held)) == (1, 1)
    stage.bridge.held.clear()  # As if it had been killed; its job is done all the same.
    stage.dispatch.queue.empty()
    stage.set_state(AssetState.READY)
    other.step()
    ports().clock.sleep(0.5)
    other.step()
    assert stage.queue.depth() == Depth(0, 0, 0)


def test_without_redis_it_holds_on_and_still_deletes(stage: Stage) -> None:
    stage.send()
    stage.bridge.step()
    stage.bridge.dispatch = Dispatch(connect(f"redis://127.0.0.1:{free_port()}/0"))
    for _ in range(8):
        ports().clock.sleep(0.1)
        stage.bridge.step()
        assert stage.queue.depth().in_flight == 1
    stage.set_state(AssetState.READY)
    stage.bridge.step()
    assert stage.queue.depth().in_flight == 0
