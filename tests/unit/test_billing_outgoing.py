"""Meter events reach the sink once in effect, whatever happens on the way. The sink is a fake of Stripe's meters."""

from datetime import timedelta

import pytest
from conftest import ManualClock, World
from flask import Flask
from metered import HOUR, START, FakeSink, born, close, delivered, meter_events, photo, use
from sqlalchemy import update

from billing import outgoing
from billing.ledger import MeterRow
from tenants.db import across_tenants, db

pytestmark = pytest.mark.every_database

METERS = 3


@pytest.fixture(autouse=True)
def time(core: Flask, world: World, clock: ManualClock) -> ManualClock:
    """Three meter events that wait, and a clock for who sends them."""
    born()
    use(world.alpha, delivered(START, 5), photo(START))
    use(world.beta, delivered(START, 7))
    close(START + 2 * HOUR)
    core.extensions["vitrine.ports"] = core.extensions["vitrine.ports"].__class__(
        **{**vars(core.extensions["vitrine.ports"]), "clock": clock}
    )
    return clock


@pytest.fixture
def sink(time: ManualClock) -> FakeSink:
    return FakeSink(time.time)


def states(world: World) -> list[str]:
    return [row.state for tenant_id in (world.alpha, world.beta) for row in meter_events(tenant_id)]


def expected(world: World) -> dict[tuple[str, str], int]:
    return {(world.alpha, "delivered_gb"): 5, (world.alpha, "photos"): 1, (world.beta, "delivered_gb"): 7}


def test_everything_is_sent_once(sink: FakeSink, world: World) -> None:
    assert outgoing.run(sink) == {"sent": METERS}
    assert outgoing.run(sink) == {}
    assert sink.total == expected(world)
    assert sink.calls == METERS


def test_what_is_refused_is_kept_and_stops_nothing(sink: FakeSink, world: World) -> None:
    refused = meter_events(world.alpha)[0].identifier
    sink.refuse = (refused,)
    assert outgoing.run(sink) == {"sent": METERS - 1, "refused": 1}
    row = meter_events(world.alpha)[0]
    assert (row.state, row.why) == ("refused", "too old")


def test_an_outage_leaves_one_event_a_day_in_doubt(sink: FakeSink, world: World, time: ManualClock) -> None:
    sink.away = True
    for _ in range(4):
        outgoing.run(sink)
        time.sleep(10 * 3600)
    assert sorted(states(world)) == ["claimed", "doubtful", "waiting"]
    sink.away, sink.now = False, time.time
    assert outgoing.run(sink) == {"sent": METERS - 1}
    doubtful = next(row for row in (*meter_events(world.alpha), *meter_events(world.beta)) if row.state == "doubtful")
    settle(doubtful.identifier, counted=False)
    assert outgoing.run(sink) == {"sent": 1}
    assert sink.total == expected(world)


def settle(identifier: str, *, counted: bool) -> None:
    session = db.session()
    with across_tenants(session, "test"):
        assert outgoing.settle(session, identifier, counted=counted, now=START)
        assert not outgoing.settle(session, identifier, counted=counted, now=START)
        session.commit()


def test_a_claim_is_sent_again_for_a_day_after_the_first_and_no_longer(
    sink: FakeSink, world: World, time: ManualClock
) -> None:
    """The sink takes events and never says so; it forgets identifiers a day after it first saw them."""
    sink.deaf = True
    for _ in range(6):
        outgoing.run(sink)
        time.sleep(8 * 3600)
        sink.now = time.time
    assert sink.calls == 2 * METERS
    sink.deaf = False
    doubtful = [row for row in (*meter_events(world.alpha), *meter_events(world.beta)) if row.state == "doubtful"]
    assert doubtful
    for row in doubtful:
        settle(row.identifier, counted=True)
    outgoing.run(sink)
    assert sink.total == expected(world)


def test_claims_of_a_process_that_died_are_sent_again(sink: FakeSink, world: World, time: ManualClock) -> None:
    session = db.session()
    with across_tenants(session, "test"):
        session.execute(update(MeterRow).values(state="claimed", claimed_at=time.time - timedelta(hours=22)))
        session.commit()
    assert outgoing.run(sink) == {"sent": METERS}
    assert sink.total == expected(world)


def test_what_another_process_took_over_is_not_given_back(sink: FakeSink, world: World, time: ManualClock) -> None:
    session = db.session()
    with across_tenants(session, "test"):
        batch = outgoing._claim(session)
        assert outgoing._claim(session) == batch, "claims that are left come first"
        outgoing._release(session, batch)
    assert states(world) == ["again"] * METERS
