"""Whatever is changed in the ledger's tables by hand, `billing verify` finds it and names the row."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import World
from flask import Flask
from metered import HOUR, START, born, close, delivered, faults_of, head, photo, rendered, rows, stored, use
from sqlalchemy import Connection, Engine, delete, insert, inspect, update

from billing.ledger import CHAIN, GENESIS, LedgerHead, LedgerRow, MeterRow, seal
from billing.renditions import RenditionUse
from infra.settings import Settings
from infra.sql import connect
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent

pytestmark = pytest.mark.every_database

LEDGER, HEADS, EVENTS, USAGE, RENDITION_USE = (
    model.__table__ for model in (LedgerRow, LedgerHead, MeterRow, UsageEvent, RenditionUse)
)
COLUMNS = [column.key for column in inspect(LedgerRow).columns]
ROWS = range(1, 5)
SEALED = ("tenant_id", "number", "window", "meter", "revision", "quantity", "delta", "closed_at")


@pytest.fixture
def chain(core: Flask, settings: Settings, world: World) -> Iterator[Engine]:
    """Alpha has four rows, the last of them a correction; beta has none. The engine may change them."""
    born()
    use(world.alpha, delivered(START, 5), delivered(START + HOUR, 6, "b"), delivered(START + 2 * HOUR, 7, "c"))
    close(START + 4 * HOUR)
    use(world.alpha, delivered(START, 1, "late"))
    close(START + 4 * HOUR)
    assert [row.number for row in rows(world.alpha)] == list(ROWS)
    assert faults_of(world.alpha) == faults_of(world.beta) == []
    engine = connect(settings.database_owner_url or settings.database_url)
    yield engine
    engine.dispose()


def by_hand(engine: Engine, world: World, act: Callable[[Connection], object]) -> None:
    """As the owner of the tables, whom no policy and no grant stops."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            for table in ("ledger", "ledger_heads", "meter_events", "usage_events", "rendition_use"):
                connection.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        else:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        act(connection)


def other(value: Any, column: str, world: World) -> Any:
    if column == "tenant_id":
        return world.beta
    if column in ("sha256", "previous"):
        return ("0" if value[0] != "0" else "1") + value[1:]
    if column == "meter":
        return "photos"
    return value + (timedelta(hours=24 * 7) if column in ("window", "closed_at") else 100)


def change(world: World, row: int, values: dict[str, Any]) -> Callable[[Connection], object]:
    where = (LEDGER.c.tenant_id == world.alpha) & (LEDGER.c.number == row)
    return lambda connection: connection.execute(update(LEDGER).where(where).values(values))


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_row_with_one_column_changed_is_named(chain: Engine, world: World, column: str, number: int) -> None:
    row = rows(world.alpha)[number - 1]
    by_hand(chain, world, change(world, number, {column: other(getattr(row, column), column, world)}))
    found = faults_of(world.alpha)
    assert number in {fault.row for fault in found}
    if column not in ("number", "tenant_id"):  # Such a row is missing where it was.
        changed = {fault.row for fault in found if fault.what.startswith("was changed")}
        assert changed == {number}, "a row that nobody touched is blamed"


@pytest.mark.parametrize("number", ROWS)
def test_a_row_changed_and_sealed_anew_is_named(chain: Engine, world: World, number: int) -> None:
    """The forger knows the hash, and leaves the rows after it and the head as they are."""
    row = rows(world.alpha)[number - 1]
    forged = {name: getattr(row, name) for name in SEALED} | {"quantity": row.quantity + 1, "delta": row.delta + 1}
    sha256 = seal(row.previous, **forged)
    by_hand(chain, world, change(world, number, {**forged, "sha256": sha256}))
    assert number in {fault.row for fault in faults_of(world.alpha)}


@pytest.mark.parametrize("number", ROWS)
def test_a_row_forged_with_all_that_follow_still_differs_from_its_meter_event(
    chain: Engine, world: World, number: int
) -> None:
    found = rows(world.alpha)
    previous = found[number - 2].sha256 if number > 1 else found[0].previous

    def forge(connection: Connection) -> None:
        sha256 = previous
        for row in found[number - 1 :]:
            more = 1 if row.number == number else 0
            values = {name: getattr(row, name) for name in SEALED}
            values |= {"quantity": row.quantity + more, "delta": row.delta + more}
            before, sha256 = sha256, seal(sha256, **values)
            change(world, row.number, {**values, "previous": before, "sha256": sha256})(connection)
        where = (HEADS.c.tenant_id == world.alpha) & (HEADS.c.chain == CHAIN)
        connection.execute(update(HEADS).where(where).values(sha256=sha256))

    by_hand(chain, world, forge)
    assert number in {fault.row for fault in faults_of(world.alpha)}


@pytest.mark.parametrize("number", ROWS)
def test_a_row_that_was_removed_is_named(chain: Engine, world: World, number: int) -> None:
    where = (LEDGER.c.tenant_id == world.alpha) & (LEDGER.c.number == number)
    by_hand(chain, world, lambda connection: connection.execute(delete(LEDGER).where(where)))
    assert any(fault.row == number and fault.what == "is missing" for fault in faults_of(world.alpha))


def test_a_row_that_was_added_is_named(chain: Engine, world: World) -> None:
    last = rows(world.alpha)[-1]
    values: dict[str, Any] = {name: getattr(last, name) for name in SEALED}
    values |= {"number": last.number + 1, "window": last.window + 24 * HOUR, "revision": 1}
    added = {**values, "previous": last.sha256, "sha256": seal(last.sha256, **values)}
    by_hand(chain, world, lambda connection: connection.execute(insert(LEDGER).values(**added)))
    assert any("added behind the ledger's head" in fault.what for fault in faults_of(world.alpha))


@pytest.fixture
def counted(chain: Engine, world: World) -> LedgerHead:
    """The head of a ledger whose events were all recorded long before it was last looked over: nothing comes late."""
    by_hand(chain, world, lambda connection: connection.execute(update(USAGE).values(recorded_at=START)))
    assert faults_of(world.alpha) == faults_of(world.beta) == []
    return head(world.alpha)


HEADS_SAY = {
    "tenant_id": "was added behind the ledger's head",
    "chain": "was added behind the ledger's head",
    "number": "was added behind the ledger's head",
    "sha256": "does not fit the ledger's head",
    "level": "the ledger's head has 100 bytes stored, the events 0",
    "rendition_level": "the ledger's head has 100 bytes of renditions, the events 0",
    "looked_until": "which is to come",
}


@pytest.mark.parametrize("column", [column.key for column in inspect(LedgerHead).columns])
def test_a_head_with_any_column_changed_by_hand(chain: Engine, world: World, counted: LedgerHead, column: str) -> None:
    """`waits_for` is a sentence for people; the next closing writes it anew. So does the next look at renditions with
    when they were seen, within a day."""
    where, value = (HEADS.c.tenant_id == world.alpha, getattr(counted, column))
    other_value: Any = {
        "tenant_id": world.beta,
        "chain": "other",
        "number": counted.number - 1,
        "sha256": GENESIS,
        "looked_until": value + timedelta(days=7) if column == "looked_until" else None,
        "closed_until": value - 2 * HOUR if column == "closed_until" else None,
        "level": 100,
        "waits_for": "nothing",
        "rendition_level": 100,
        "rendition_edition": 7,
        "rendition_looked_at": START + 3 * HOUR,
    }[column]

    def act(connection: Connection) -> None:
        if column == "tenant_id":
            connection.execute(delete(HEADS).where(HEADS.c.tenant_id == world.beta))
        connection.execute(update(HEADS).where(where).values({column: other_value}))

    by_hand(chain, world, act)
    found = [fault.what for fault in faults_of(world.alpha)]
    if column in ("waits_for", "rendition_edition", "rendition_looked_at"):
        assert found == []
    elif column == "closed_until":
        assert "delivered_gb 2024-02-28T22 is not closed by the ledger's head" in found
    else:
        assert any(HEADS_SAY[column] in what for what in found), found


def test_hours_that_a_changed_head_has_had_passed_over_are_named(
    chain: Engine, world: World, counted: LedgerHead
) -> None:
    """The head is put forward over an hour in which something was used, before it was closed."""
    use(world.alpha, stored(START + 5 * HOUR, 10), photo(START + 5 * HOUR, "never"))

    def act(connection: Connection) -> None:
        connection.execute(update(USAGE).values(recorded_at=START))
        where = HEADS.c.tenant_id == world.alpha
        connection.execute(update(HEADS).where(where).values(closed_until=START + 7 * HOUR))

    by_hand(chain, world, act)
    found = [fault.what for fault in faults_of(world.alpha)]
    assert found == [
        "photos 2024-02-29T01 is 0 in the ledger, 1 by its events",
        "storage_gb_hours 2024-02-29T01 is 0 in the ledger, 36000 by its events",
        "storage_gb_hours 2024-02-29T02 is 0 in the ledger, 36000 by its events",
        "the ledger's head has 0 bytes stored, the events 10",
    ]


def test_hours_that_a_release_without_renditions_closed_are_named_and_mended(
    chain: Engine, world: World, counted: LedgerHead
) -> None:
    """Such a release moves the head, and leaves the level and its rows out. To look back far enough is all it takes."""
    use(world.alpha, rendered(START + 3 * HOUR + HOUR / 2, 10))
    close(START + 5 * HOUR)

    def act(connection: Connection) -> None:
        connection.execute(update(USAGE).values(recorded_at=START))
        of_alpha = HEADS.c.tenant_id == world.alpha
        connection.execute(update(HEADS).where(of_alpha).values(closed_until=START + 6 * HOUR))

    by_hand(chain, world, act)
    hours = ("2024-02-29T00", "2024-02-29T01")
    assert [fault.what for fault in faults_of(world.alpha)] == [
        f"rendition_gb_hours {hour} is 0 in the ledger, 36000 by its events" for hour in hours
    ]
    again = update(HEADS).where(HEADS.c.tenant_id == world.alpha).values(looked_until=START - HOUR)
    by_hand(chain, world, lambda connection: connection.execute(again))
    close(START + 6 * HOUR)
    assert faults_of(world.alpha) == []


@pytest.mark.parametrize("change", [{"size": 11}, {"size": 0}, {"asset_id": "other"}])
def test_what_is_noted_as_told_of_renditions_is_held_against_the_events(
    chain: Engine, world: World, counted: LedgerHead, change: dict[str, Any]
) -> None:
    """A row that was changed would have the next look tell the difference once more."""
    with open_site(world.alpha) as site:
        site.use("rendered:a:1", Meter.RENDERED, 10, START, asset_id="a")
        site.session.add(RenditionUse(asset_id="a", size=10, turn=1, tenant_id=world.alpha))
        site.session.commit()
    assert faults_of(world.alpha) == []
    by_hand(chain, world, lambda connection: connection.execute(update(RENDITION_USE).values(change)))
    row = 0 if "asset_id" in change else change["size"]
    assert f"asset a {row} bytes are noted as told, its events say 10" in faults_of(world.alpha)[0].what


@pytest.mark.parametrize("column", ["amount", "meter", "at"])
def test_a_usage_event_that_was_changed_names_the_row_that_counted_it(
    chain: Engine, world: World, counted: LedgerHead, column: str
) -> None:
    values = {"amount": 4, "meter": Meter.PHOTOS, "at": START + 3 * HOUR}
    where = (USAGE.c.tenant_id == world.alpha, USAGE.c.id == "delivered:b")
    by_hand(chain, world, lambda c: c.execute(update(USAGE).where(*where).values({column: values[column]})))
    assert 2 in {fault.row for fault in faults_of(world.alpha)}
    assert faults_of(world.beta) == []


def test_what_may_still_be_corrected_is_no_fault(chain: Engine, world: World, counted: LedgerHead) -> None:
    """A late event between two turns: of its own hour for a sum, of every hour since for what is stored."""
    use(world.alpha, delivered(START, 9, "later"), stored(START + HOUR, 10))
    assert faults_of(world.alpha) == []
    close(START + 4 * HOUR)
    by_hand(chain, world, lambda connection: connection.execute(update(USAGE).values(recorded_at=START)))
    assert faults_of(world.alpha) == []


CHANGED_EVENTS: dict[str, Any] = {
    "tenant_id": None,
    "identifier": "forged",
    "meter": "photos",
    "window": START + 9 * HOUR,
    "revision": 7,
    "value": 99,
    "state": "sent",
    "claimed_at": START,
    "sent_at": START,
    "why": "nothing",
}


@pytest.mark.parametrize("column", [column.key for column in inspect(MeterRow).columns])
def test_a_meter_event_with_any_column_changed_names_the_row(chain: Engine, world: World, column: str) -> None:
    """`why` is for people. When an event was claimed and sent is not sealed: that it was, must fit its state."""
    where = EVENTS.c.identifier == f"{world.alpha}:delivered_gb:2024-02-28T21:1"
    value = CHANGED_EVENTS[column] if column != "tenant_id" else world.beta
    by_hand(chain, world, lambda connection: connection.execute(update(EVENTS).where(where).values({column: value})))
    found = {fault.row for fault in faults_of(world.alpha)}
    if column == "why":
        assert found == set()
    else:
        assert found - {0} == {2}, "only the row of that event, beside the event that has no row now"


def test_a_row_whose_meter_event_was_removed_is_named(chain: Engine, world: World) -> None:
    where = EVENTS.c.identifier == f"{world.alpha}:delivered_gb:2024-02-28T21:1"
    by_hand(chain, world, lambda connection: connection.execute(delete(EVENTS).where(where)))
    assert {fault.row for fault in faults_of(world.alpha)} == {2}


def test_a_meter_event_without_a_row_is_named(chain: Engine, world: World) -> None:
    name = f"{world.alpha}:photos:2024-02-28T21:1"
    row = {"tenant_id": world.alpha, "identifier": name, "meter": "photos", "window": START, "revision": 1, "value": 3}
    values = {**row, "state": "waiting", "why": ""}
    by_hand(chain, world, lambda connection: connection.execute(insert(EVENTS).values(**values)))
    assert [fault.what for fault in faults_of(world.alpha)] == [f"a meter event has no row: {name}"]
