"""What comes late: which closed windows it lies in, and what these windows would be now."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.appending import Entry, Head
from billing.ledger import CHAIN, WINDOW, LedgerHead, LedgerRow, hour_of
from billing.plans import Dimension, Reading
from billing.quantities import BY_METER, Use, series, window_of
from tenants.usage import Meter, UsageEvent, amount_of

Touched = dict[Meter, set[datetime]]
"""Windows, by the meter of the events in them."""

_EVENT = (UsageEvent.meter, UsageEvent.at, UsageEvent.amount, UsageEvent.quantity)


def late(session: Session) -> dict[str, Touched]:
    """Closed windows with events that were recorded since they were last looked at, by tenant.

    Most of them were counted when the window was closed: to look again changes nothing.
    """
    oldest = session.scalar(select(func.min(LedgerHead.looked_until)))
    if oldest is None:
        return {}
    statement = (
        select(UsageEvent.tenant_id, UsageEvent.meter, UsageEvent.at)
        .join(LedgerHead, (LedgerHead.tenant_id == UsageEvent.tenant_id) & (LedgerHead.chain == CHAIN))
        .where(
            UsageEvent.recorded_at >= oldest,
            UsageEvent.recorded_at >= LedgerHead.looked_until,
            UsageEvent.at < LedgerHead.closed_until,
        )
    )
    found: dict[str, Touched] = defaultdict(lambda: defaultdict(set))
    for tenant_id, meter, at in session.execute(statement):
        found[tenant_id][meter].add(hour_of(at))
    return found


def everything(session: Session, head: Head, since: datetime) -> Touched:
    """All windows from `since` on that have events: for a look at what `late` cannot have missed."""
    statement = select(UsageEvent.meter, UsageEvent.at).where(
        UsageEvent.tenant_id == head.tenant_id, UsageEvent.at >= since, UsageEvent.at < head.closed_until
    )
    found: Touched = defaultdict(set)
    for meter, at in session.execute(statement):
        found[meter].add(hour_of(at))
    return found


def corrections(session: Session, head: Head, touched: Touched) -> Iterator[Entry]:
    """New revisions of the windows, for `Batch.add` to leave out those that are as they were.

    A change of storage reaches every later window, and the head's level.
    """
    for meter, windows in touched.items():
        if Meter.STORED is meter:
            yield from _level(session, head, min(windows))
        else:
            yield from _sums(session, head, meter, windows)


def _sums(session: Session, head: Head, meter: Meter, windows: Iterable[datetime]) -> Iterator[Entry]:
    for window in sorted(windows):
        counted = window_of(window, 0, _events(session, head, meter, window, window + WINDOW)).quantities
        before = _newest(session, head, meter, window, window + WINDOW)
        for dimension in BY_METER[meter]:
            yield _entry(window, dimension, counted.get(dimension, 0), before)


def _level(session: Session, head: Head, first: datetime) -> Iterator[Entry]:
    events = _events(session, head, Meter.STORED, first, head.closed_until)
    level = _sum_before(session, head, Meter.STORED, first)
    before = _newest(session, head, Meter.STORED, first, head.closed_until)
    found = series(first, head.closed_until, level, events)
    head.level = level + sum(event.amount for event in events)
    for window, counted in found.items():
        for dimension in BY_METER[Meter.STORED]:
            if dimension.measure.reading is Reading.LEVEL:
                yield _entry(window, dimension, counted.quantities.get(dimension, 0), before)


Newest = dict[tuple[datetime, str], tuple[int, int]]


def _entry(window: datetime, dimension: Dimension, quantity: int, before: Newest) -> Entry:
    return Entry(window, dimension.value, quantity, *before.get((window, dimension.value), (0, 0)))


def _newest(session: Session, head: Head, meter: Meter, start: datetime, end: datetime) -> Newest:
    """Revision and quantity of the newest row of each window and dimension."""
    statement = (
        select(LedgerRow.window, LedgerRow.meter, LedgerRow.revision, LedgerRow.quantity)
        .where(
            LedgerRow.tenant_id == head.tenant_id,
            LedgerRow.meter.in_([dimension.value for dimension in BY_METER[meter]]),
            LedgerRow.window >= start,
            LedgerRow.window < end,
        )
        .order_by(LedgerRow.revision)
    )
    return {(window, name): (revision, quantity) for window, name, revision, quantity in session.execute(statement)}


def _events(session: Session, head: Head, meter: Meter, start: datetime, end: datetime) -> list[Use]:
    statement = select(*_EVENT).where(
        UsageEvent.tenant_id == head.tenant_id, UsageEvent.meter == meter, UsageEvent.at >= start, UsageEvent.at < end
    )
    return [
        Use(meter, at, amount_of(meter, amount, quantity)) for meter, at, amount, quantity in session.execute(statement)
    ]


def _sum_before(session: Session, head: Head, meter: Meter, end: datetime) -> int:
    wanted = (UsageEvent.tenant_id == head.tenant_id, UsageEvent.meter == meter, UsageEvent.at < end)
    exact = session.scalar(select(func.sum(UsageEvent.amount)).where(*wanted)) or 0
    older = session.scalars(select(UsageEvent.quantity).where(*wanted, UsageEvent.amount.is_(None)))
    return int(exact) + sum(amount_of(meter, None, quantity) for quantity in older)
