"""What comes late: which closed windows it lies in, and what these windows would be now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.appending import Entry, Head
from billing.ledger import CHAIN, WINDOW, LedgerHead, hour_of
from billing.lookups import Newest, events_of, newest, sums_before
from billing.plans import Dimension
from billing.quantities import BY_METER, LEVELS, series, window_of
from tenants.usage import Meter, UsageEvent

Touched = dict[Meter, set[datetime]]
"""Windows, by the meter of the events in them."""

MOST_WINDOWS = 50_000
"""Windows of a level that are held in memory at once."""


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


def corrections(session: Session, heads: Sequence[Head], found: Mapping[str, Touched]) -> Mapping[str, Sequence[Entry]]:
    """New revisions of the windows by tenant, for `Batch.add` to leave out those that are as they were.

    A change of a level reaches every later window, and the head. Statements are as many as there are windows
    with something late, whatever the number of tenants.
    """
    entries: dict[str, list[Entry]] = defaultdict(list)
    by_window: dict[datetime, dict[str, set[Meter]]] = defaultdict(lambda: defaultdict(set))
    by_first: dict[tuple[datetime, Meter], list[Head]] = defaultdict(list)
    for head in heads:
        for meter, windows in found[head.tenant_id].items():
            if meter in LEVELS:
                by_first[min(windows), meter].append(head)
                continue
            for window in windows:
                by_window[window][head.tenant_id].add(meter)
    for window, tenants in sorted(by_window.items()):
        _sums(session, window, tenants, entries)
    for (first, meter), some in sorted(by_first.items(), key=lambda item: (item[0][0], item[0][1].value)):
        hours = max(head.closed_until for head in some) - first
        at_once = max(MOST_WINDOWS // max(hours // WINDOW, 1), 1)
        for start in range(0, len(some), at_once):
            _levels(session, meter, first, some[start : start + at_once], entries)
    return entries


def _sums(
    session: Session, window: datetime, tenants: Mapping[str, set[Meter]], entries: dict[str, list[Entry]]
) -> None:
    events = events_of(session, list(tenants), window, window + WINDOW)
    before = newest(session, list(tenants), window, window + WINDOW, list(Dimension))
    for tenant_id, meters in tenants.items():
        counted = window_of(window, {}, events.get(tenant_id, ())).quantities
        for meter in sorted(meters, key=lambda each: each.value):
            for dimension in BY_METER[meter]:
                entries[tenant_id].append(_entry(tenant_id, window, dimension, counted.get(dimension, 0), before))


def _levels(
    session: Session, meter: Meter, first: datetime, heads: Sequence[Head], entries: dict[str, list[Entry]]
) -> None:
    ids, end = [head.tenant_id for head in heads], max(head.closed_until for head in heads)
    dimension = LEVELS[meter]
    levels = sums_before(session, ids, meter, first)
    events = events_of(session, ids, first, end, meter)
    before = newest(session, ids, first, end, [dimension])
    for head in heads:
        own = [event for event in events.get(head.tenant_id, ()) if event.at < head.closed_until]
        level = levels.get(head.tenant_id, 0)
        head.levels[meter] = level + sum(event.amount for event in own)
        for window, counted in series(first, head.closed_until, {meter: level}, own).items():
            quantity = counted.quantities.get(dimension, 0)
            entries[head.tenant_id].append(_entry(head.tenant_id, window, dimension, quantity, before))


def _entry(tenant_id: str, window: datetime, dimension: Dimension, quantity: int, before: Newest) -> Entry:
    known = before.get((tenant_id, window, dimension.value), (0, 0))
    return Entry(window, dimension.value, quantity, *known)
