"""The ledger against the usage events that it was made of: what each closed hour must have, counted anew.

A chain that fits says that rows are as they were written. It does not say that hours are there which a changed head has
had closing pass over, nor that the head's level, which every later hour of storage starts from, is right. Events do.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.ledger import WINDOW, LedgerHead, hour_of
from billing.plans import Dimension, Reading
from billing.quantities import BY_METER, Use, Window, window_of
from tenants.usage import Meter, UsageEvent, amount_of

Quantities = dict[tuple[datetime, str], int]
"""By window and dimension."""
_LEVELS = {each.value for each in BY_METER[Meter.STORED] if each.measure.reading is Reading.LEVEL}
_DIMENSIONS = {each.value for each in Dimension}


class Difference(NamedTuple):
    """`window` and `meter` are those of a ledger row, or of one that should be there."""

    window: datetime
    meter: str
    ledger: int
    events: int


class Account(NamedTuple):
    differences: list[Difference]
    level: int | None
    """Bytes stored at `closed_until`; None while something of it may still be corrected."""


def reconcile(session: Session, head: LedgerHead, ledger: Quantities) -> Account:
    """Where the newest quantities of a tenant's `ledger` are not what its events say.

    Hours in which something was recorded since the ledger was last looked over for late events are left out: it may
    come as a correction yet. So is storage from such a change on. Memory is by hours, not by events.
    """
    fresh, fresh_level = _fresh(session, head)
    differences: list[Difference] = []
    known, level = {key for key in ledger if key[1] in _DIMENSIONS}, 0
    for window, counted in _hours(_uses(session, head), head.closed_until):
        level = counted.level
        told = {dimension.value: quantity for dimension, quantity in counted.quantities.items()}
        for meter in sorted(_DIMENSIONS):
            known.discard((window, meter))
            pair = Difference(window, meter, ledger.get((window, meter), 0), told.get(meter, 0))
            if pair.ledger != pair.events:
                differences.append(pair)
    differences += [Difference(*key, ledger[key], 0) for key in sorted(known) if ledger[key]]

    def may_change(each: Difference) -> bool:
        if each.meter in _LEVELS:
            return fresh_level is not None and each.window >= fresh_level
        return (each.window, each.meter) in fresh

    return Account([each for each in differences if not may_change(each)], level if fresh_level is None else None)


def _fresh(session: Session, head: LedgerHead) -> tuple[set[tuple[datetime, str]], datetime | None]:
    """Windows and dimensions of events that were recorded since the ledger was looked over, and the first window of
    them in which storage changes."""
    wanted = select(UsageEvent.meter, UsageEvent.at).where(
        UsageEvent.tenant_id == head.tenant_id,
        UsageEvent.at < head.closed_until,
        UsageEvent.recorded_at >= head.looked_until,
    )
    found: set[tuple[datetime, str]] = set()
    level: datetime | None = None
    for meter, at in session.execute(wanted):
        window = hour_of(at)
        found |= {(window, dimension.value) for dimension in BY_METER[meter]}
        if meter is Meter.STORED:
            level = min(level or window, window)
    return found, level


def _uses(session: Session, head: LedgerHead) -> Iterator[Use]:
    """The tenant's events of closed hours in the order of their time."""
    wanted = (
        select(UsageEvent.meter, UsageEvent.at, UsageEvent.amount, UsageEvent.quantity)
        .where(UsageEvent.tenant_id == head.tenant_id, UsageEvent.at < head.closed_until)
        .order_by(UsageEvent.at)
        .execution_options(yield_per=1000)
    )
    for meter, at, amount, quantity in session.execute(wanted):
        yield Use(meter, at, amount_of(meter, amount, quantity))


def _hours(uses: Iterable[Use], end: datetime) -> Iterator[tuple[datetime, Window]]:
    """Every hour from that of the first use until `end`. `uses` are in the order of their time."""
    at, level = None, 0
    for hour, inside in groupby(uses, key=lambda use: hour_of(use.at)):
        yield from _quiet(at or hour, hour, level)
        window = window_of(hour, level, inside)
        yield hour, window
        at, level = hour + WINDOW, window.level
    yield from _quiet(at or end, end, level)


def _quiet(start: datetime, end: datetime, level: int) -> Iterator[tuple[datetime, Window]]:
    while start < end:
        yield start, window_of(start, level, ())
        start += WINDOW
