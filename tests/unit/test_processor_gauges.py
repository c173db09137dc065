"""What the bridge tells about the queue."""

from dataclasses import replace
from datetime import timedelta

from conftest import ManualClock
from sqlalchemy import create_engine

from infra.local.metrics import SqlMetrics
from infra.local.tables import metadata
from infra.ports import Depth, Message
from processor.gauges import Gauges

MINUTE = timedelta(minutes=1)
DEPTH = Depth(waiting=6, in_flight=2, dead=1)


def test_gauges_are_told_once_a_minute(clock: ManualClock) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    metrics = SqlMetrics(engine, clock)
    gauges = Gauges(metrics, clock, every=3600)
    message = Message("m", "r", {}, "alpha", receives=1, sent_at=clock.now() - timedelta(seconds=7))
    gauges.received(message)
    gauges.received(replace(message, sent_at=clock.now() - timedelta(seconds=3)))
    gauges.received(replace(message, receives=2, sent_at=clock.now() - timedelta(hours=1)))
    gauges.received(replace(message, group="beta", sent_at=clock.now() + timedelta(seconds=1)))
    for _ in range(2):
        gauges.failed(message)
    asked: list[Depth] = []

    def depth() -> Depth:
        asked.append(DEPTH)
        return DEPTH

    for _ in range(3):
        gauges.tell(depth, workers=4)

    def told(name: str, **dimensions: str) -> float:
        return metrics.total(name, clock.now(), clock.now() + MINUTE, **dimensions)

    assert asked == [DEPTH]
    assert [told(f"queue.{name}") for name in ("waiting", "in_flight", "dead", "backlog_per_worker")] == [6, 2, 1, 1.5]
    assert told("queue.wait", tenant="alpha") == 7
    assert (told("job.returned", tenant="alpha"), told("job.returned", tenant="beta")) == (2, 0)
    assert told("queue.wait", tenant="beta") == 0  # Clocks of hosts differ.
    engine.dispose()


def test_without_workers_there_is_no_backlog_of_one(clock: ManualClock) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    metrics = SqlMetrics(engine, clock)
    Gauges(metrics, clock).tell(lambda: DEPTH, workers=0)
    assert metrics.total("queue.waiting", clock.now(), clock.now() + MINUTE) == 6
    assert metrics.total("queue.backlog_per_worker", clock.now(), clock.now() + MINUTE) == 0
    engine.dispose()
