"""The ledger against the usage events that it was made of: what each closed hour must have, counted anew.

A chain that fits says that rows are as they were written. It does not say that hours are there which a changed head has
had closing pass over, nor that the head's level, which every later hour of storage starts from, is right. Events do.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.ledger import WINDOW, LedgerHead, hour_of
from billing.plans import Dimension
from billing.quantities import BY_METER, LEVELS, Use, Window, window_of
from tenants.usage import Meter, UsageEvent, amount_of

Quantities = dict[tuple[datetime, str], int]
"""By window and dimension."""
_LEVELS = {dimension.value: meter for meter, dimension in LEVELS.items()}
_DIMENSIONS = {each.value for each in Dimension}


class Difference(NamedTuple):
    """`window` and `meter` are those of a ledger row, or of one that should be there."""

    window: datetime
    meter: str
    ledger: int
    events: int


class Account(NamedTuple):
    differences: list[Difference]
    levels: dict[Meter, int]
    """Bytes at `closed_until`; without those of which something may still be corrected."""


def reconcile(session: Session, head: LedgerHead, ledger: Quantities) -> Account:
    """Where the newest quantities of a tenant's `ledger` are not what its events say.

    Hours in which something was recorded since the ledger was last looked over for late events are left out: it may
    come as a correction yet. So is a level from such a change on. Memory is by hours, not by events.
    """
    fresh, fresh_levels = _fresh(session, head)
    differences: list[Difference] = []
    known, levels = {key for key in ledger if key[1] in _DIMENSIONS}, dict.fromkeys(LEVELS, 0)
    for window, counted in _hours(_uses(session, head), head.closed_until):
        levels = counted.levels
        told = {dimension.value: quantity for dimension, quantity in counted.quantities.items()}
        for meter in sorted(_DIMENSIONS):
            known.discard((window, meter))
            pair = Difference(window, meter, ledger.get((window, meter), 0), told.get(meter, 0))
            if pair.ledger != pair.events:
                differences.append(pair)
    differences += [Difference(*key, ledger[key], 0) for key in sorted(known) if ledger[key]]

    def may_change(each: Difference) -> bool:
        if each.meter in _LEVELS:
            first = fresh_levels.get(_LEVELS[each.meter])
            return first is not None and each.window >= first
        return (each.window, each.meter) in fresh

    settled = {meter: level for meter, level in levels.items() if meter not in fresh_levels}
    return Account([each for each in differences if not may_change(each)], settled)


def _fresh(session: Session, head: LedgerHead) -> tuple[set[tuple[datetime, str]], dict[Meter, datetime]]:
    """Windows and dimensions of events that were recorded since the ledger was looked over, and of each level that
    they change the first window in which they do."""
    wanted = select(UsageEvent.meter, UsageEvent.at).where(
        UsageEvent.tenant_id == head.tenant_id,
        UsageEvent.at < head.closed_until,
        UsageEvent.recorded_at >= head.looked_until,
    )
    found: set[tuple[datetime, str]] = set()
    levels: dict[Meter, datetime] = {}
    for meter, at in session.execute(wanted):
        window = hour_of(at)
        found |= {(window, dimension.value) for dimension in BY_METER[meter]}
        if meter in LEVELS:
            levels[meter] = min(levels.get(meter, window), window)
    return found, levels


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
    at: datetime | None = None
    levels: Mapping[Meter, int] = {}
    for hour, inside in groupby(uses, key=lambda use: hour_of(use.at)):
        yield from _quiet(at or hour, hour, levels)
        window = window_of(hour, levels, inside)
        yield hour, window
        at, levels = hour + WINDOW, window.levels
    yield from _quiet(at or end, end, levels)


def _quiet(start: datetime, end: datetime, levels: Mapping[Meter, int]) -> Iterator[tuple[datetime, Window]]:
    while start < end:
        yield start, window_of(start, levels, ())
        start += WINDOW
