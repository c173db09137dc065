"""From usage events to the quantities of windows: pure, exact, and the same in whatever order the events come."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from billing.ledger import WINDOW, hour_of
from billing.plans import MEASURES, Dimension, Reading
from tenants.usage import Meter

SECONDS = int(WINDOW.total_seconds())
LEVELS: Mapping[Meter, Dimension] = {
    measure.meter: dimension for dimension, measure in MEASURES.items() if measure.reading is Reading.LEVEL
}
"""Meters whose events change a level, and what the level times its seconds is billed as."""


class Use(NamedTuple):
    """One usage event: `amount` is in its meter's smallest unit."""

    meter: Meter
    at: datetime
    amount: int


@dataclass
class Window:
    """What one tenant used in one hour. `levels` are the bytes that are there at its end."""

    quantities: dict[Dimension, int]
    sums: dict[Meter, int]
    """Of all events, by meter: what the metrics of that hour must add up to."""
    levels: dict[Meter, int]


def window_of(start: datetime, levels: Mapping[Meter, int], events: Iterable[Use]) -> Window:
    """The window that begins at `start` with these `levels`; one that is not told is 0. `events` are those inside it.

    A byte counts from the whole second in which its event lies, so a window of storage is a whole number of
    byte-seconds: the level at its start for all of it, and each change for the seconds that are left.
    """
    quantities: dict[Dimension, int] = defaultdict(int)
    sums: dict[Meter, int] = defaultdict(int)
    for meter, dimension in LEVELS.items():
        quantities[dimension] = levels.get(meter, 0) * SECONDS
    for event in events:
        sums[event.meter] += event.amount
        for dimension, reading in _READINGS[event.meter]:
            quantities[dimension] += _part(reading, event, start)
    after = {meter: levels.get(meter, 0) + sums.get(meter, 0) for meter in LEVELS}
    return Window(dict(quantities), dict(sums), after)


def _part(reading: Reading, event: Use, start: datetime) -> int:
    if reading is Reading.COUNT:
        return 1
    if reading is Reading.SUM:
        return event.amount
    offset = event.at.replace(microsecond=0) - start
    return event.amount * (SECONDS - int(offset.total_seconds()))


def series(
    start: datetime, end: datetime, levels: Mapping[Meter, int], events: Iterable[Use]
) -> dict[datetime, Window]:
    """Every window in [start, end), each beginning with the levels that the one before ended with."""
    inside: dict[datetime, list[Use]] = defaultdict(list)
    for event in events:
        inside[hour_of(event.at)].append(event)
    found: dict[datetime, Window] = {}
    while start < end:
        found[start] = window_of(start, levels, inside.get(start, ()))
        levels = found[start].levels
        start += WINDOW
    return found


BY_METER: dict[Meter, list[Dimension]] = {
    meter: [dimension for dimension in Dimension if dimension.measure.meter is meter] for meter in Meter
}
_READINGS = {meter: [(each, each.measure.reading) for each in dimensions] for meter, dimensions in BY_METER.items()}
