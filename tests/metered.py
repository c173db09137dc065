"""Usage at times of the test's choosing, and a second, plainer account of what a ledger must make of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update

from billing import audit, closing
from billing.ledger import LedgerHead, LedgerRow, MeterEvent, MeterRow, Refused
from billing.plans import Dimension
from tenants.db import across_tenants, db
from tenants.registry import Tenant
from tenants.scope import open_site
from tenants.usage import Meter

START = datetime(2024, 2, 28, 20, tzinfo=UTC)
"""The tenants' first hour: four hours before a leap day."""
HOUR = timedelta(hours=1)
RULES = closing.Rules(lateness=timedelta(minutes=10), patience=timedelta(days=1), overlap=HOUR)


class Event(NamedTuple):
    """What `Site.use` is told."""

    id: str
    meter: Meter
    quantity: float
    at: datetime


def born(at: datetime = START) -> None:
    """Every tenant was made at `at`."""
    session = db.session()
    with across_tenants(session, "test"):
        session.execute(update(Tenant).values(created_at=at))
        session.commit()


def use(tenant_id: str, *events: Event) -> None:
    """Record events as a fleet does, each in a transaction of its own."""
    with open_site(tenant_id) as site:
        for event in events:
            site.use(event.id, event.meter, event.quantity, event.at)
            site.session.commit()


def stored(at: datetime, size: int = 1000, name: str = "a") -> Event:
    return Event(f"stored:{name}", Meter.STORED, size, at)


def rendered(at: datetime, size: int = 1000, name: str = "a") -> Event:
    return Event(f"rendered:{name}:1", Meter.RENDERED, size, at)


def uploaded(at: datetime, size: int = 1000, name: str = "a") -> Event:
    return Event(f"upload:{name}", Meter.UPLOADED, size, at)


def photo(at: datetime, name: str = "a") -> Event:
    return Event(f"photo:{name}", Meter.PHOTOS, 1, at)


def delivered(at: datetime, size: int, name: str = "a") -> Event:
    return Event(f"delivered:{name}", Meter.DELIVERED, size, at)


def close(now: datetime, rules: closing.Rules = RULES) -> Counter[str]:
    return closing.run(now, rules)


def rows(tenant_id: str) -> list[LedgerRow]:
    session = db.session()
    with across_tenants(session, "test"):
        wanted = select(LedgerRow).where(LedgerRow.tenant_id == tenant_id).order_by(LedgerRow.number)
        found = list(session.scalars(wanted.execution_options(populate_existing=True)))
        session.expunge_all()
        session.rollback()
    return found


def head(tenant_id: str) -> LedgerHead:
    session = db.session()
    with across_tenants(session, "test"):
        found = session.scalars(select(LedgerHead).where(LedgerHead.tenant_id == tenant_id)).one()
        session.expunge_all()
        session.rollback()
    return found


def ledger_of(tenant_id: str) -> dict[tuple[Dimension, datetime], int]:
    """The sum of the deltas of each window."""
    found: Counter[tuple[Dimension, datetime]] = Counter()
    for row in rows(tenant_id):
        found[Dimension(row.meter), row.window] += row.delta
    return {key: value for key, value in found.items() if value}


def meter_events(tenant_id: str) -> list[MeterRow]:
    session = db.session()
    with across_tenants(session, "test"):
        wanted = select(MeterRow).where(MeterRow.tenant_id == tenant_id).order_by(MeterRow.identifier)
        found = list(session.scalars(wanted.execution_options(populate_existing=True)))
        session.expunge_all()
        session.rollback()
    return found


def faults_of(tenant_id: str) -> list[audit.Fault]:
    session = db.session()
    with across_tenants(session, "test"):
        found = list(audit.verify(session, tenant_id))
        session.rollback()
    return found


def truth(events: Iterable[Event], start: datetime, end: datetime) -> dict[tuple[Dimension, datetime], int]:
    """What each hour of [start, end) must have: event by event, a change of storage for all seconds after it."""
    once = {event.id: event for event in events}.values()
    found: Counter[tuple[Dimension, datetime]] = Counter()
    plain = {
        Meter.DELIVERED: (Dimension.DELIVERED, 1),
        Meter.PHOTOS: (Dimension.PHOTOS, 1),
        Meter.VIDEO_IN: (Dimension.VIDEO_IN, 1000),
        Meter.VIDEO_OUT: (Dimension.VIDEO_OUT, 1000),
        Meter.EMBED_VIEWS: (Dimension.EMBED_VIEWS, 1),
    }
    levels = {Meter.STORED: Dimension.STORAGE, Meter.RENDERED: Dimension.RENDITIONS}
    changes: dict[Meter, Counter[int]] = {meter: Counter() for meter in levels}
    for event in once:
        epoch = int(event.at.timestamp())
        hour = datetime.fromtimestamp(epoch - epoch % 3600, UTC)
        if event.at >= end:
            continue
        if event.meter in plain:
            dimension, scale = plain[event.meter]
            found[dimension, hour] += round(event.quantity * scale)
        elif event.meter is Meter.UPLOADED:
            found[Dimension.UPLOADS, hour] += 1
        elif event.meter in levels:
            changes[event.meter][epoch] += int(event.quantity)
    last = int(end.timestamp())
    for meter, dimension in levels.items():
        for epoch, change in changes[meter].items():
            for hour in range(epoch - epoch % 3600, last, 3600):
                seconds = min(hour + 3600, last) - max(hour, epoch)
                found[dimension, datetime.fromtimestamp(hour, UTC)] += change * seconds
    return {key: value for key, value in found.items() if value}


@dataclass
class FakeSink:
    """A fake of the receiving side as Stripe documents it: an identifier counts once within 24 hours and again after.

    `refuse` names identifiers that it never takes; while `away` it does not answer; `deaf` takes an event and does not
    say so.
    """

    now: datetime
    refuse: tuple[str, ...] = ()
    away: bool = False
    deaf: bool = False

    def __post_init__(self) -> None:
        self.total: Counter[tuple[str, str]] = Counter()
        self.calls = 0
        self._seen: dict[str, datetime] = {}

    def send(self, event: MeterEvent) -> None:
        self.calls += 1
        if self.away:
            raise ConnectionError("nobody answers")
        if event.identifier in self.refuse:
            raise Refused("too old")
        before = self._seen.get(event.identifier)
        if before is None or self.now - before >= timedelta(hours=24):
            self._seen[event.identifier] = self.now
            self.total[event.tenant_id, event.meter] += event.value
        if self.deaf:
            raise TimeoutError("no answer came")
