"""A month of usage into the ledger, with crashes: `python -m tests.bench.metering`.

`VITRINE_BENCH_EVENTS` (50,000) events of `VITRINE_BENCH_TENANTS` (50) tenants over February 2024; 1 % arrive twice, 5 %
up to twenty hours late. docs/metering.md has the command for a million events of a thousand. A process records what
arrives (the statement of `tenants/usage.py`, a batch of many events), puts its metrics, closes what is due and sends
meter events; it is killed with SIGKILL twenty times, wherever it then is, and what it was told is told again to the
next. The database is SQLite, or PostgreSQL with `VITRINE_BENCH_DATABASE=postgres`; its files are in
`VITRINE_BENCH_DIR`.

Then three accounts are compared for each tenant and dimension, to the byte: what was made up here, the ledger, and what
the sink was sent, an identifier counted once. The peer is a bare executemany of the same ledger and meter rows into
tables of the same shape.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from flask_migrate import upgrade  # noqa: E402
from postgres import running  # noqa: E402
from sqlalchemy import Column, MetaData, Table, func, insert, select  # noqa: E402
from sqlalchemy.dialects import postgresql, sqlite  # noqa: E402

import wsgi  # noqa: E402
from billing import audit, closing, outgoing  # noqa: E402
from billing.ledger import LedgerRow, MeterEvent, MeterRow  # noqa: E402
from billing.plans import MEASURES, Reading  # noqa: E402
from infra.local.tables import metric_points  # noqa: E402
from infra.settings import Settings, load  # noqa: E402
from infra.sql import connect  # noqa: E402
from tenants import registry  # noqa: E402
from tenants.db import across_tenants, db  # noqa: E402
from tenants.registry import Tenant  # noqa: E402
from tenants.scope import settings  # noqa: E402
from tenants.usage import Meter, UsageEvent  # noqa: E402

EVENTS = int(os.environ.get("VITRINE_BENCH_EVENTS", 50_000))
TENANTS = int(os.environ.get("VITRINE_BENCH_TENANTS", 50))
KILLS, PEER_ROWS = int(os.environ.get("VITRINE_BENCH_KILLS", 20)), 200_000
HOUR = timedelta(hours=1)
START = datetime(2024, 2, 1, tzinfo=UTC)
HOURS = int(os.environ.get("VITRINE_BENCH_HOURS", 29 * 24))
END = START + HOURS * timedelta(hours=1)
STEP = 6
"""Hours from one turn to the next."""
RULES = closing.Rules(timedelta(minutes=10), timedelta(days=1), timedelta(seconds=2))
MIGRATIONS = str(ROOT / "infra/migrations")
WEIGHTS = {
    Meter.DELIVERED: 50,
    Meter.UPLOADED: 14,
    Meter.STORED: 14,
    Meter.RENDERED: 14,
    Meter.PHOTOS: 12,
    Meter.EMBED_VIEWS: 6,
    Meter.VIDEO_IN: 2,
    Meter.VIDEO_OUT: 2,
}
Row = dict[str, Any]
Account = Counter[tuple[str, str]]


def month(tenants: list[str]) -> tuple[dict[int, list[Row]], Account, int]:
    """Arrivals by hour, the truth by tenant and dimension, and how many arrivals are second ones."""
    chance, twice = random.Random(6), 0
    arrivals: dict[int, list[Row]] = defaultdict(list)
    truth: Account = Counter()
    meters, weights = list(WEIGHTS), list(WEIGHTS.values())
    for number in range(EVENTS):
        second = chance.randrange(HOURS * 3600)
        meter = chance.choices(meters, weights)[0]
        amount = 1 if meter in (Meter.PHOTOS, Meter.EMBED_VIEWS) else chance.randrange(1, 40_000_000)
        if meter in (Meter.STORED, Meter.RENDERED) and chance.random() < 0.2:
            amount = -amount
        tenant, at = chance.choice(tenants), START + timedelta(seconds=second)
        row = {"tenant_id": tenant, "id": f"e{number}", "meter": meter, "amount": amount, "at": at}
        row["quantity"] = amount / meter.per_unit
        arrives = second // 3600 + (chance.randrange(1, 21) if chance.random() < 0.05 else 0)
        arrivals[arrives].append(row)
        if chance.random() < 0.01:
            twice += 1
            arrivals[arrives + chance.randrange(30)].append(row)
        count(truth, row)
    return arrivals, truth, twice


def count(truth: Account, row: Row) -> None:
    for dimension, measure in MEASURES.items():
        if measure.meter is row["meter"]:
            amount = {
                Reading.SUM: row["amount"],
                Reading.COUNT: 1,
                Reading.LEVEL: row["amount"] * int((END - row["at"]).total_seconds()),
            }[measure.reading]
            truth[row["tenant_id"], dimension.value] += amount


class FileSink:
    """A fake of Stripe's side: a line an event, which outlives whoever wrote it."""

    def __init__(self, path: Path) -> None:
        self._lines = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def send(self, event: MeterEvent) -> None:
        os.write(self._lines, f"{event.identifier} {event.value}\n".encode())


def record(rows: list[Row]) -> None:
    """What is new of the rows, in one transaction, and then its metrics."""
    session = db.session()
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    bare = dialect.insert(UsageEvent.__table__).on_conflict_do_nothing()
    statement = bare.returning(UsageEvent.tenant_id, UsageEvent.id)
    with across_tenants(session, "bench"):
        new = {tuple(row) for row in session.connection().execute(statement, rows)} if rows else set()
        session.commit()
    sums: Counter[tuple[str, Meter, datetime]] = Counter()
    for row in rows:
        if (row["tenant_id"], row["id"]) in new:
            new.remove((row["tenant_id"], row["id"]))
            sums[row["tenant_id"], row["meter"], row["at"].replace(minute=0, second=0)] += row["amount"]
    points = [
        {
            "name": f"usage.{meter.value}",
            "at": hour,
            "value": amount / meter.per_unit,
            "unit": "None",
            "dimensions": {"tenant": tenant},
        }
        for (tenant, meter, hour), amount in sums.items()
    ]
    if points:
        with db.engine.begin() as connection:
            connection.execute(insert(metric_points), points)


class Closer:
    """The process that dies: told an hour by a pipe, it answers when that hour is done."""

    def __init__(self, given: Settings, arrivals: dict[int, list[Row]], sink: Path) -> None:
        self._given = given, arrivals, sink
        self.start()

    def start(self) -> None:
        here, there = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._work(here[0], there[1])
            finally:
                os._exit(1)
        os.close(here[0])
        os.close(there[1])
        self._to, self._from = here[1], there[0]

    def _work(self, told: int, answer: int) -> None:
        given, arrivals, path = self._given
        sink = FileSink(path)
        with wsgi.create_app(given).app_context():
            while message := os.read(told, 8):
                hour = int.from_bytes(message, "big")
                record([row for one in range(hour, hour + STEP) for row in arrivals.get(one, ())])
                done = closing.run(START + (hour + STEP) * HOUR, RULES)
                outgoing.run(sink)
                os.write(answer, b"".join(done[name].to_bytes(8, "big") for name in COUNTED))

    def turn(self, hour: int, *, dies_after: float | None = None) -> Counter[str]:
        """Empty if it was killed; then it is there again, and has to be told again."""
        os.write(self._to, hour.to_bytes(8, "big"))
        if dies_after is not None:
            time.sleep(dies_after)
            self.stop()
            self.start()
            return Counter()
        answer = os.read(self._from, 8 * len(COUNTED))
        assert len(answer) == 8 * len(COUNTED), "the closing process died by itself"
        parts = [int.from_bytes(answer[n : n + 8], "big") for n in range(0, len(answer), 8)]
        return Counter(dict(zip(COUNTED, parts, strict=True)))

    def stop(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)


COUNTED = ("closed", "waiting", "disagreement", "corrections", "rows")


def simulate(given: Settings, arrivals: dict[int, list[Row]], sink: Path) -> tuple[Counter[str], float, int]:
    """Hour after hour until the last late event is in and the last window has had its patience."""
    chance = random.Random(7)
    turns = [*range(0, max(*arrivals, HOURS + 20) + 1, STEP), HOURS + 60]
    deadly = set(chance.sample(turns, KILLS))
    closer, done, killed, took = Closer(given, arrivals, sink), Counter[str](), 0, 1.0
    began = time.perf_counter()
    for hour in turns:
        if hour in deadly:
            closer.turn(hour, dies_after=chance.uniform(0, took))
            killed += 1
        before = time.perf_counter()
        done += closer.turn(hour)
        took = time.perf_counter() - before
    spent = time.perf_counter() - began
    closer.stop()
    return done, spent, killed


def accounts(sink: Path) -> tuple[Account, Account, Account, int]:
    """The ledger, its meter events and the sink's, by tenant and dimension; and faults that `verify` finds."""
    inside = LedgerRow.window < END
    session = db.session()
    with across_tenants(session, "bench"):
        ledger = select(LedgerRow.tenant_id, LedgerRow.meter, func.sum(LedgerRow.delta)).where(inside)
        meters = select(MeterRow.tenant_id, MeterRow.meter, func.sum(MeterRow.value)).where(MeterRow.window < END)
        by_row = [
            Counter({(tenant, meter): int(total) for tenant, meter, total in session.execute(wanted)})
            for wanted in (
                ledger.group_by(LedgerRow.tenant_id, LedgerRow.meter),
                meters.group_by(MeterRow.tenant_id, MeterRow.meter),
            )
        ]
        faults = sum(1 for tenant in session.scalars(select(Tenant.id)) for _ in audit.verify(session, tenant))
        session.rollback()
    sent: dict[str, int] = {}
    for line in sink.read_text().splitlines():
        identifier, value = line.split()
        assert sent.setdefault(identifier, int(value)) == int(value), "an identifier was sent with two values"
    total: Account = Counter()
    for identifier, value in sent.items():
        tenant, meter, window, _ = identifier.split(":")
        if window < f"{END:%Y-%m-%dT%H}":
            total[tenant, meter] += value
    return by_row[0], by_row[1], total, faults


def peer() -> float:
    """Ledger rows a second, each with its meter row, of a bare executemany into tables of the same shape."""
    tables = [table.__table__ for table in (LedgerRow, MeterRow)]
    session = db.session()
    with across_tenants(session, "bench"):
        rows = [[dict(row) for row in session.execute(select(t).limit(PEER_ROWS)).mappings()] for t in tables]
        session.rollback()
    bare = MetaData()
    again = [
        Table(f"bare_{table.name}", bare, *(Column(c.name, c.type, primary_key=c.primary_key) for c in table.columns))
        for table in tables
    ]
    owner = connect(settings().database_owner_url)
    bare.create_all(owner)
    began = time.perf_counter()
    with owner.begin() as connection:
        for table, some in zip(again, rows, strict=True):
            connection.execute(insert(table), some)
    owner.dispose()
    return len(rows[0]) / (time.perf_counter() - began)


def tenants() -> Iterator[str]:
    session = db.session()
    for number in range(TENANTS):
        yield registry.create(session, f"t{number:04d}", f"T{number}", now=START).id
        session.commit()
        db.session.remove()


def main() -> int:
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="vitrine-metering-", dir=os.environ.get("VITRINE_BENCH_DIR"))
        )
        kind = os.environ.get("VITRINE_BENCH_DATABASE", "sqlite")
        urls = stack.enter_context(running()).urls("vitrine") if kind == "postgres" else {}
        given = load(data_dir=Path(folder), **urls)
        with wsgi.create_app(given).app_context():
            upgrade(directory=MIGRATIONS)
            ids = list(tenants())
            db.session.remove()
            db.engine.dispose()
            arrivals, truth, twice = month(ids)
            sink = Path(folder) / "sent"
            done, spent, killed = simulate(given, arrivals, sink)
            *told, faults = accounts(sink)
            bare = peer()
            db.session.remove()
            db.engine.dispose()
    keys = {key for account in (truth, *told) for key in account}
    wrong = sum(len({truth[key], *(account[key] for account in told)}) != 1 for key in keys)
    late = sum(row["at"] < START + hour * HOUR for hour, rows in arrivals.items() for row in rows)
    made = done["rows"] + done["corrections"]
    print(f"{kind}: {EVENTS:,} events of {TENANTS:,} tenants in {HOURS} hours, {twice:,} arrive twice,")
    print(f"  {late:,} arrivals late, {killed} kill -9")
    print(
        f"{made:,} ledger rows, {done['corrections']:,} of them corrections; {done['disagreement']:,} windows alarmed"
    )
    print(
        f"{spent:.0f} s: {EVENTS / spent:,.0f} events/s and {made / spent:,.0f} ledger rows/s recorded, closed and sent"
    )
    print(f"bare executemany of such rows: {bare:,.0f}/s; the ledger does x{made / spent / bare:.2f} of that")
    equal = "equal" if not wrong else f"{wrong} DIFFER"
    print(f"truth = ledger = meter events = sent, by tenant and dimension ({len(keys):,}), to the byte: {equal}")
    print(f"billing verify: {faults} faults")
    return 1 if wrong or faults else 0


if __name__ == "__main__":
    sys.exit(main())
