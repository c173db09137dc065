"""Hours of usage become ledger rows, once; what comes late becomes revisions; what is missing delays and alarms."""

from datetime import timedelta
from typing import Any

import pytest
from conftest import World
from flask import Flask
from metered import (
    HOUR,
    RULES,
    START,
    born,
    close,
    delivered,
    faults_of,
    head,
    ledger_of,
    meter_events,
    photo,
    rows,
    stored,
    truth,
    uploaded,
    use,
)
from sqlalchemy import delete, insert
from statements import statements

from billing import closing
from billing.plans import Dimension
from infra.errors import Unavailable
from infra.local.metrics import table as metric_table
from tenants.db import db
from tenants.scope import open_site, ports
from tenants.usage import Meter, UsageEvent

pytestmark = pytest.mark.every_database

AT = START + timedelta(minutes=20)
DAY = timedelta(days=1)
DUE = START + HOUR + RULES.lateness


@pytest.fixture(autouse=True)
def _born(core: Flask, world: World) -> None:
    born()


def lose_metrics(*names: str) -> None:
    with db.engine.begin() as connection:
        statement = delete(metric_table)
        connection.execute(statement.where(metric_table.c.name.in_(names)) if names else statement)


def alarms(kind: str) -> float:
    now = ports().clock.now()
    return ports().metrics.total(f"metering.{kind}", now - HOUR, now + HOUR)


def test_an_hour_is_closed_when_its_lateness_is_over(world: World) -> None:
    use(world.alpha, stored(AT), uploaded(AT), photo(AT), delivered(AT, 5))
    assert close(DUE - timedelta(seconds=1))["closed"] == 0
    assert rows(world.alpha) == []
    assert close(DUE)["closed"] == 2
    assert {Dimension(row.meter): row.quantity for row in rows(world.alpha)} == {
        Dimension.STORAGE: 1000 * 40 * 60,
        Dimension.UPLOADS: 1,
        Dimension.PHOTOS: 1,
        Dimension.DELIVERED: 5,
    }
    assert all(row.revision == 1 and row.delta == row.quantity and row.window == START for row in rows(world.alpha))
    assert (head(world.alpha).closed_until, head(world.alpha).level) == (START + HOUR, 1000)
    assert rows(world.beta) == []
    assert head(world.beta).closed_until == START + HOUR


def test_closing_again_changes_nothing(world: World) -> None:
    use(world.alpha, stored(AT), delivered(AT, 5))
    close(DUE)
    before = [(row.number, row.sha256) for row in rows(world.alpha)]
    for _ in range(2):
        assert close(DUE)["rows"] == 0
    assert [(row.number, row.sha256) for row in rows(world.alpha)] == before


def test_what_is_stored_counts_in_every_hour_that_follows(world: World) -> None:
    use(world.alpha, stored(AT), stored(START + 3 * HOUR, -400, "b"))
    close(START + 6 * HOUR)
    events = [stored(AT), stored(START + 3 * HOUR, -400, "b")]
    assert ledger_of(world.alpha) == truth(events, START, START + 5 * HOUR)


def test_a_late_event_is_a_revision_with_the_difference(world: World) -> None:
    use(world.alpha, delivered(AT, 5))
    close(DUE)
    use(world.alpha, delivered(AT, 7, "late"))
    assert close(DUE)["corrections"] == 1
    first, second = rows(world.alpha)
    assert (second.revision, second.quantity, second.delta) == (2, 12, 7)
    assert [event.value for event in meter_events(world.alpha)] == [5, 7]
    assert [event.identifier for event in meter_events(world.alpha)] == [
        f"{world.alpha}:delivered_gb:2024-02-28T20:{revision}" for revision in (1, 2)
    ]
    assert second.previous == first.sha256
    assert faults_of(world.alpha) == []


def test_a_late_change_of_storage_reaches_every_hour_after_it(world: World) -> None:
    use(world.alpha, stored(AT))
    close(START + 5 * HOUR)
    late = stored(AT + HOUR, -300, "late")
    use(world.alpha, late)
    close(START + 5 * HOUR)
    assert ledger_of(world.alpha) == truth([stored(AT), late], START, START + 4 * HOUR)
    assert head(world.alpha).level == 700
    assert faults_of(world.alpha) == []


def test_an_event_from_before_the_tenants_first_hour_counts(world: World) -> None:
    """A fleet's clock was behind."""
    early = [delivered(START - 2 * HOUR, 9), stored(START - HOUR, 10)]
    use(world.alpha, *early)
    close(DUE)
    assert ledger_of(world.alpha) == truth(early, START - 2 * HOUR, START + HOUR)


def test_missing_metrics_delay_an_hour_and_raise_an_alarm(world: World) -> None:
    use(world.alpha, delivered(AT, 5))
    use(world.beta, delivered(AT, 5))
    with db.engine.begin() as connection:
        for row in connection.execute(metric_table.select()).mappings():
            if row["dimensions"].get("tenant") == world.alpha:
                connection.execute(delete(metric_table).where(metric_table.c.id == row["id"]))
    done = close(DUE)
    assert (done["waiting"], done["closed"]) == (1, 1)
    assert rows(world.alpha) == []
    assert len(rows(world.beta)) == 1, "one tenant's missing metrics hold up nobody else"
    assert "delivered.bytes: metrics say 0, events 5" in head(world.alpha).waits_for
    assert alarms("waiting") == 1


def test_metrics_that_come_after_all_close_the_hour(world: World) -> None:
    use(world.alpha, delivered(AT, 5))
    lose_metrics()
    assert close(DUE)["waiting"] == 1
    ports().metrics.put("usage.delivered.bytes", 5, AT, unit="Bytes", tenant=world.alpha)
    close(DUE + HOUR)
    assert [row.quantity for row in rows(world.alpha)] == [5]
    assert head(world.alpha).waits_for == ""


def test_a_tenant_that_waits_in_the_midst_of_hours_closed_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six hours are due at once. Alpha's third has no metrics: it stays there, and from then on asks for one hour."""
    events = [delivered(AT + number * HOUR, 5, str(number)) for number in range(6)]
    for tenant_id in (world.alpha, world.beta):
        use(tenant_id, *events)
    with db.engine.begin() as connection:
        for row in connection.execute(metric_table.select()).mappings():
            if row["dimensions"].get("tenant") == world.alpha and row["at"] == AT + 2 * HOUR:
                connection.execute(delete(metric_table).where(metric_table.c.id == row["id"]))
    done = close(DUE + 5 * HOUR)
    assert (done["waiting"], done["closed"]) == (1, 2 + 6)
    assert alarms("waiting") == 1
    assert head(world.alpha).closed_until == START + 2 * HOUR
    assert (len(rows(world.alpha)), len(rows(world.beta))) == (2, 6)
    read: list[Any] = []
    totals = type(ports().metrics).totals
    monkeypatch.setattr(type(ports().metrics), "totals", lambda *given: read.append(given[2]) or totals(*given))
    assert close(DUE + 5 * HOUR)["waiting"] == 1
    assert set(read) == {START + 2 * HOUR}, "hours that cannot be closed yet are read, and reading costs"
    ports().metrics.put("usage.delivered.bytes", 5, AT + 2 * HOUR, unit="Bytes", tenant=world.alpha)
    assert close(DUE + 5 * HOUR)["closed"] == 4
    assert ledger_of(world.alpha) == truth(events, START, START + 6 * HOUR) == ledger_of(world.beta)
    assert faults_of(world.alpha) == faults_of(world.beta) == []


def test_hours_that_are_due_together_are_closed_by_one_transaction(core: Flask, world: World) -> None:
    """What makes catching up cheap: what is written does not grow by statements with the hours."""
    close(START + RULES.lateness)

    def writes(hours: int) -> int:
        at = head(world.alpha).closed_until
        for tenant_id in (world.alpha, world.beta):
            use(tenant_id, *(delivered(at + number * HOUR, 1, f"{at}{number}") for number in range(hours)))
        with statements(core) as told:
            done = closing.run(at + hours * HOUR + RULES.lateness, RULES, look_back=False)
        assert (done["closed"], done["rows"]) == (2 * hours, 2 * hours)
        return sum(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in told)

    assert writes(1) == writes(12) > 0


def test_events_that_are_missing_delay_too(world: World) -> None:
    """The metrics know of something that no event tells: zero would be too little."""
    ports().metrics.put("usage.delivered.bytes", 5, AT, unit="Bytes", tenant=world.alpha)
    assert close(DUE)["waiting"] == 1
    use(world.alpha, delivered(AT, 5))
    lose_metrics()
    ports().metrics.put("usage.delivered.bytes", 5, AT, unit="Bytes", tenant=world.alpha)
    close(DUE)
    assert [row.quantity for row in rows(world.alpha)] == [5]


def test_patience_ends_with_what_the_events_say_and_an_alarm(world: World) -> None:
    use(world.alpha, delivered(AT, 5))
    lose_metrics()
    assert close(START + HOUR + RULES.patience)["disagreement"] == 0
    assert close(START + HOUR + RULES.patience + timedelta(seconds=1))["disagreement"] == 1
    assert [row.quantity for row in rows(world.alpha)] == [5]
    assert alarms("disagreement") == 1


def test_metrics_that_are_merely_short_do_not_delay(world: World) -> None:
    """A process died between its commit and its metric."""
    use(world.alpha, delivered(AT, 5), delivered(AT, 6, "b"))
    lose_metrics()
    ports().metrics.put("usage.delivered.bytes", 5, AT, unit="Bytes", tenant=world.alpha)
    assert close(DUE)["disagreement"] == 1
    assert [row.quantity for row in rows(world.alpha)] == [11]


@pytest.mark.parametrize("error", [Unavailable("CloudWatch is away"), OSError("no route")])
def test_metrics_that_cannot_be_read_delay_everybody(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def totals(*_: Any) -> dict[str, float]:
        raise error

    monkeypatch.setattr(type(ports().metrics), "totals", totals)
    assert close(DUE)["waiting"] == 2
    assert head(world.beta).waits_for == "metrics cannot be read"
    monkeypatch.undo()
    assert close(DUE)["closed"] == 2


def test_amounts_beyond_a_floats_precision_stay_exact(world: World) -> None:
    most = 10**14 - 1  # Of one event; a hundred of them are more than 2^53.
    use(world.alpha, *(delivered(AT, most, str(n)) for n in range(100)))
    close(DUE)
    assert [row.quantity for row in rows(world.alpha)] == [100 * most]


def test_events_of_the_release_before_count_by_their_quantity(world: World) -> None:
    event = {"id": "video_in:a", "meter": Meter.VIDEO_IN, "quantity": 1.5, "at": AT}
    with open_site(world.alpha) as site:
        site.session.execute(insert(UsageEvent).values(tenant_id=world.alpha, **event))
        site.session.commit()
    ports().metrics.put("usage.video_in.seconds", 1.5, AT, unit="Seconds", tenant=world.alpha)
    close(DUE)
    assert [row.quantity for row in rows(world.alpha)] == [1500]


def test_months_without_any_use_are_closed_at_once(world: World, core: Flask) -> None:
    """One tenant never used anything, the other after forty days: neither hour by hour."""
    first = START + 40 * DAY
    use(world.beta, delivered(first + timedelta(minutes=5), 9))
    with statements(core) as seen:
        close(START + 60 * DAY)
    assert len(seen) < 60_000 // 24  # An hour takes a dozen.
    assert head(world.alpha).closed_until == START + 60 * DAY - HOUR
    assert head(world.beta).closed_until == START + 60 * DAY - HOUR
    assert ledger_of(world.beta) == {(Dimension.DELIVERED, first): 9}
    assert not rows(world.alpha) and faults_of(world.beta) == []


def test_idle_hours_of_which_the_metrics_know_something_are_not_passed_over(world: World) -> None:
    """Events are missing in the middle of a time without use: that hour waits, as any other does."""
    missing = START + 5 * DAY
    ports().metrics.put("usage.delivered.bytes", 7.0, missing + timedelta(minutes=1), unit="Bytes", tenant=world.alpha)
    close(missing + 2 * HOUR)
    assert head(world.alpha).closed_until == missing
    assert "metrics say 7" in head(world.alpha).waits_for
    assert head(world.beta).closed_until == missing + HOUR
