"""Whatever is changed in the ledger by hand, `billing verify` finds it and names the row."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import World
from flask import Flask
from metered import HOUR, START, born, close, delivered, faults_of, rows, use
from sqlalchemy import Connection, Engine, delete, insert, inspect, select, update

from billing.ledger import CHAIN, LedgerHead, LedgerRow, MeterRow, seal
from infra.settings import Settings
from infra.sql import connect

pytestmark = pytest.mark.every_database

LEDGER, HEADS, EVENTS = (model.__table__ for model in (LedgerRow, LedgerHead, MeterRow))
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
            for table in ("ledger", "ledger_heads", "meter_events"):
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


@pytest.mark.parametrize("column", ["number", "sha256"])
def test_a_head_that_was_changed_is_noticed(chain: Engine, world: World, column: str) -> None:
    found: list[Any] = []
    where = HEADS.c.tenant_id == world.alpha

    def act(connection: Connection) -> None:
        value = connection.scalar(select(HEADS.c[column]).where(where))
        found.append(value)
        connection.execute(update(HEADS).where(where).values({column: other(value, column, world)}))

    by_hand(chain, world, act)
    assert faults_of(world.alpha)
    assert faults_of(world.beta) == []


@pytest.mark.parametrize("what", ["value", "identifier", "removed"])
def test_a_meter_event_that_does_not_match_its_row_names_the_row(chain: Engine, world: World, what: str) -> None:
    identifier = f"{world.alpha}:delivered_gb:2024-02-28T21:1"
    where = EVENTS.c.identifier == identifier
    act = {
        "value": update(EVENTS).where(where).values(value=99),
        "identifier": update(EVENTS).where(where).values(identifier=identifier + "0"),
        "removed": delete(EVENTS).where(where),
    }[what]
    by_hand(chain, world, lambda connection: connection.execute(act))
    assert 2 in {fault.row for fault in faults_of(world.alpha)}


def test_a_meter_event_without_a_row_is_named(chain: Engine, world: World) -> None:
    name = f"{world.alpha}:photos:2024-02-28T21:1"
    row = {"tenant_id": world.alpha, "identifier": name, "meter": "photos", "window": START, "revision": 1, "value": 3}
    values = {**row, "state": "waiting", "why": ""}
    by_hand(chain, world, lambda connection: connection.execute(insert(EVENTS).values(**values)))
    assert [fault.what for fault in faults_of(world.alpha)] == [f"a meter event has no row: {name}"]
