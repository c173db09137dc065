"""Streams of usage as they really come: twice, late, out of order, by clocks that are wrong, into closings that crash.

Whatever came in whatever order, once everything is closed the ledger is what a plain count of the events says, meter
events add up to the ledger, and a bill is rebuilt to the cent.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import World
from dying import Crash, dying_at
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metered import (
    HOUR,
    RULES,
    Event,
    FakeSink,
    born,
    close,
    faults_of,
    ledger_of,
    meter_events,
    rendered,
    rows,
    truth,
    use,
)
from sqlalchemy import delete, table

from billing import bills, invoices, outgoing, terms
from billing.plans import PLANS, Dimension
from tenants.db import db
from tenants.scope import open_site
from tenants.usage import Meter

START = datetime(2024, 2, 29, 20, tzinfo=UTC)
"""Four hours before a month's end that is a leap day."""
HOURS = 8
END = START + HOURS * HOUR
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
SUMMER = datetime(2024, 3, 31, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))
"""Half an hour past midnight, on the day that has no third hour."""
TABLES = ("usage_events", "ledger", "ledger_heads", "meter_events", "plan_terms", "invoices", "metric_points")
ONCE = {"suppress_health_check": [HealthCheck.function_scoped_fixture]}


def wipe(start: datetime = START) -> None:
    with db.engine.begin() as connection:
        for name in TABLES:
            connection.execute(delete(table(name)))
    born(start)


def turn(now: datetime, sink: FakeSink, *, dies_at: int = 0) -> bool:
    """A run of what `billing run` does each minute; whether it got through."""
    try:
        with dying_at(dies_at):
            close(now)
            outgoing.run(sink)
    except Crash:
        db.session.remove()  # Its connection is gone, and with it what was not committed.
        return False
    return True


def check(world: World, events: dict[str, list[Event]], sink: FakeSink, start: datetime, end: datetime) -> None:
    told: Counter[tuple[str, str]] = Counter()
    for tenant_id in (world.alpha, world.beta):
        assert ledger_of(tenant_id) == truth(events[tenant_id], start, end)
        assert faults_of(tenant_id) == []
        assert len(meter_events(tenant_id)) == len(rows(tenant_id))
        assert {row.state for row in meter_events(tenant_id)} <= {"sent"}
        for row in rows(tenant_id):
            told[tenant_id, row.meter] += row.delta
    assert +sink.total == +told


MOMENTS = st.integers(-2 * 3600, HOURS * 3600 - 1).map(lambda second: START + timedelta(seconds=second))
"""Some by a clock that is two hours behind, before the tenant was made."""
CHANGES = st.integers(-(10**10), 10**10)
AMOUNTS = {
    Meter.STORED: CHANGES,
    Meter.RENDERED: CHANGES,
    Meter.VIDEO_IN: st.integers(0, 10**6).map(lambda n: n / 1000),
}
EVENTS = st.sampled_from(Meter).flatmap(
    lambda meter: st.builds(
        Event, st.integers(0, 12).map(str), st.just(meter), AMOUNTS.get(meter, st.integers(0, 10**13)), MOMENTS
    )
)
STEPS = st.one_of(
    st.tuples(st.just("alpha"), EVENTS),
    st.tuples(st.just("beta"), EVENTS),
    st.tuples(st.just("close"), st.integers(0, HOURS + 2)),
    st.tuples(st.just("crash"), st.integers(1, 40)),
)


@settings(max_examples=60, **ONCE)
@given(st.lists(STEPS, max_size=25))
def test_any_stream_comes_out_as_a_plain_count(core: Flask, world: World, steps: list[tuple[str, Any]]) -> None:
    """The first event of an id is the one that counts; times go forward and back between closings."""
    wipe()
    sink, now = FakeSink(START), START
    events: dict[str, list[Event]] = {world.alpha: [], world.beta: []}
    for kind, what in steps:
        if kind in ("alpha", "beta"):
            tenant_id = getattr(world, kind)
            use(tenant_id, what)
            if what.id not in {event.id for event in events[tenant_id]}:
                events[tenant_id].append(what)
        elif kind == "close":
            now = START + what * HOUR
            turn(now, sink)
        else:
            turn(now, sink, dies_at=what)
    assert turn(END + 2 * HOUR + RULES.lateness, sink)
    check(world, events, sink, START - 2 * HOUR, END + 2 * HOUR)


def scenario(world: World) -> dict[str, list[Event]]:
    """Two tenants, two hours that are closed, a late event of each kind for them, and an hour that is due."""
    wipe()
    at, closed_at = START + timedelta(minutes=5), START + 3 * HOUR
    early = [Event("a", Meter.STORED, 500, at), Event("b", Meter.DELIVERED, 70, at), rendered(at, 90)]
    late = [Event("c", Meter.STORED, -100, at + HOUR), Event("d", Meter.DELIVERED, 1, at), rendered(at, -20, "b")]
    fresh = [Event("e", Meter.PHOTOS, 1, at + 2 * HOUR)]
    for tenant_id in (world.alpha, world.beta):
        use(tenant_id, *early)
    close(closed_at)
    for tenant_id in (world.alpha, world.beta):
        use(tenant_id, *late, *fresh)
    return dict.fromkeys((world.alpha, world.beta), early + late + fresh)


def test_a_crash_before_any_statement_changes_nothing_in_the_end(core: Flask, world: World) -> None:
    """Every statement and every commit of a run, one after another, until a run gets through."""
    statement, due = 0, START + 3 * HOUR + RULES.lateness
    through = False
    while not through:
        statement += 1
        events, sink = scenario(world), FakeSink(START)
        through = turn(due, sink, dies_at=statement)
        assert turn(due, sink)
        check(world, events, sink, START, START + 3 * HOUR)
    assert statement > 20, "a run is shorter than it can be"


@settings(max_examples=25, **ONCE)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, HOURS - 1), st.sampled_from(sorted(PLANS))), max_size=5),
    st.lists(EVENTS, max_size=8),
    st.integers(0, 8),
)
def test_bills_are_rebuilt_whatever_came_after_them(
    core: Flask, world: World, changes: list[tuple[int, int, str]], events: list[Event], late_from: int
) -> None:
    """Plans change around the month's end, events come before and after the invoices: each is equal to what the ledger
    said when it was issued, and together they bill exactly what was used."""
    wipe(START)
    february, march = (START, MARCH), (MARCH, END)
    with open_site(world.alpha) as site:
        for _, hour, code in sorted(changes):
            terms.assign(site, code, since=START + hour * HOUR)
        site.session.commit()
    use(world.alpha, *events[:late_from])
    close(END + RULES.lateness)
    with open_site(world.alpha) as site:
        issued = [invoices.issue(site, *february)]
        site.session.commit()
    use(world.alpha, *events[late_from:])
    close(END + RULES.lateness)
    with open_site(world.alpha) as site:
        issued = [invoices.issue(site, *period) for period in (february, march)]
        site.session.commit()
        assert [list(invoices.differences(site.session, invoice)) for invoice in issued] == [[], []]
        used = sum(bills.bill(site.session, world.alpha, *period).total for period in (february, march))
        assert sum(invoice.total for invoice in issued) == used
        assert [invoices.outstanding(site.session, invoice) for invoice in issued] == [0, 0]


@pytest.mark.parametrize("day", [SUMMER, SUMMER.replace(month=10, day=27)], ids=["spring", "autumn"])
def test_a_day_of_23_or_25_hours_loses_and_doubles_nothing(core: Flask, world: World, day: datetime) -> None:
    """Events told in the time of a place whose clocks are put forward or back."""
    start = datetime(day.year, day.month, day.day - 1, 22, tzinfo=UTC)
    wipe(start)
    zone = ZoneInfo("Europe/Berlin")
    moments = [(day.astimezone(UTC) + number * HOUR / 2).astimezone(zone) for number in range(52)]
    events = [Event(f"d{number}", Meter.DELIVERED, 2**number, at) for number, at in enumerate(moments[:40])]
    events += [Event("s", Meter.STORED, 10, moments[3]), rendered(moments[5], 7)]
    use(world.alpha, *events)
    end = start + 30 * HOUR
    close(end + RULES.lateness)
    found = ledger_of(world.alpha)
    assert found == truth(events, start, end)
    assert sum(value for (name, _), value in found.items() if name is Dimension.DELIVERED) == 2**40 - 1
