"""From usage events to the quantities of windows: pure, exact, and the same in whatever order the events come."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from billing.ledger import WINDOW, hour_of
from billing.plans import Dimension, Reading
from tenants.usage import Meter

SECONDS = int(WINDOW.total_seconds())


class Use(NamedTuple):
    """One usage event: `amount` is in its meter's smallest unit."""

    meter: Meter
    at: datetime
    amount: int


@dataclass
class Window:
    """What one tenant used in one hour. `level` is the bytes stored at its end."""

    quantities: dict[Dimension, int]
    sums: dict[Meter, int]
    """Of all events, by meter: what the metrics of that hour must add up to."""
    level: int


def window_of(start: datetime, level: int, events: Iterable[Use]) -> Window:
    """The window that begins at `start` with `level` bytes stored. `events` are those inside it.

    A byte counts from the whole second in which its event lies, so a window of storage is a whole number of
    byte-seconds: the level at its start for all of it, and each change for the seconds that are left.
    """
    quantities: dict[Dimension, int] = defaultdict(int)
    sums: dict[Meter, int] = defaultdict(int)
    quantities[Dimension.STORAGE] = level * SECONDS
    for event in events:
        sums[event.meter] += event.amount
        for dimension, reading in _READINGS[event.meter]:
            quantities[dimension] += _part(reading, event, start)
    return Window(dict(quantities), dict(sums), level + sums[Meter.STORED])


def _part(reading: Reading, event: Use, start: datetime) -> int:
    if reading is Reading.COUNT:
        return 1
    if reading is Reading.SUM:
        return event.amount
    offset = event.at.replace(microsecond=0) - start
    return event.amount * (SECONDS - int(offset.total_seconds()))


def series(start: datetime, end: datetime, level: int, events: Iterable[Use]) -> dict[datetime, Window]:
    """Every window in [start, end), each beginning with the level that the one before ended with."""
    inside: dict[datetime, list[Use]] = defaultdict(list)
    for event in events:
        inside[hour_of(event.at)].append(event)
    found: dict[datetime, Window] = {}
    while start < end:
        found[start] = window_of(start, level, inside.get(start, ()))
        level = found[start].level
        start += WINDOW
    return found


BY_METER: dict[Meter, list[Dimension]] = {
    meter: [dimension for dimension in Dimension if dimension.measure.meter is meter] for meter in Meter
}
_READINGS = {meter: [(each, each.measure.reading) for each in dimensions] for meter, dimensions in BY_METER.items()}
