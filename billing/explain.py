"""Where a line of a bill comes from: by hour, album and asset, out of the usage events behind the ledger."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from billing.ledger import LedgerRow, hour_of
from billing.plans import Dimension, Reading
from tenants.usage import UsageEvent, amount_of


class Share(NamedTuple):
    """A part of a line, in the dimension's smallest unit. No album or asset: of none in particular, or of many."""

    album_id: str | None
    asset_id: str | None
    hour: datetime | None
    """When it was used. Of storage: from when on it is counted; None if it was there when the period began."""
    quantity: int
    until: datetime | None = None
    """Of storage: the hour in which it went; None if it was there when the period ended."""


def shares(session: Session, tenant_id: str, dimension: Dimension, start: datetime, end: datetime) -> list[Share]:
    """The line's parts, the largest first. They add up to what the events say of [start, end).

    Storage is told by asset with its first and last hour, since each asset is there in every hour between them; the
    rest by the hour.
    """
    measure = dimension.measure
    statement = select(
        UsageEvent.album_id, UsageEvent.asset_id, UsageEvent.at, UsageEvent.amount, UsageEvent.quantity
    ).where(UsageEvent.tenant_id == tenant_id, UsageEvent.meter == measure.meter, UsageEvent.at < end)
    if measure.reading is Reading.LEVEL:
        return _largest_first(_stays(session, statement, dimension, start, end))
    statement = statement.where(UsageEvent.at >= start)
    found: dict[tuple[str | None, str | None, datetime], int] = defaultdict(int)
    for album_id, asset_id, at, amount, quantity in session.execute(statement):
        size = amount_of(measure.meter, amount, quantity)
        found[album_id, asset_id, hour_of(at)] += 1 if measure.reading is Reading.COUNT else size
    return _largest_first(Share(*key, quantity) for key, quantity in found.items())


def _stays(
    session: Session, statement: Select[*tuple[Any, ...]], dimension: Dimension, start: datetime, end: datetime
) -> Iterator[Share]:
    """Of what was stored: from when, until when, and byte-seconds. An asset is one part, wherever it was moved: its
    album is that of its first event."""
    changes: dict[tuple[str | None, str | None], list[tuple[datetime, int]]] = defaultdict(list)
    albums: dict[str | None, str | None] = {}
    for album_id, asset_id, at, amount, quantity in session.execute(statement.order_by(UsageEvent.at)):
        album = albums.setdefault(asset_id, album_id) if asset_id else album_id
        changes[album, asset_id].append((at, amount_of(dimension.measure.meter, amount, quantity)))
    for key, each in changes.items():
        first, last = each[0][0], each[-1][0]
        quantity = sum(size * _seconds(max(at.replace(microsecond=0), start), end) for at, size in each)
        since = hour_of(first) if first >= start else None
        until = hour_of(last) if sum(size for _, size in each) == 0 else None
        yield Share(*key, since, quantity, until)


def _largest_first(parts: Iterable[Share]) -> list[Share]:
    return sorted((part for part in parts if part.quantity), key=lambda part: part.quantity, reverse=True)


def hours(
    session: Session, tenant_id: str, dimension: Dimension, start: datetime, end: datetime
) -> dict[datetime, int]:
    """What the ledger has for each hour, all revisions together, for a curve; hours without use are left out."""
    statement = (
        select(LedgerRow.window, func.sum(LedgerRow.delta))
        .where(
            LedgerRow.tenant_id == tenant_id,
            LedgerRow.meter == dimension.value,
            LedgerRow.window >= start,
            LedgerRow.window < end,
        )
        .group_by(LedgerRow.window)
        .order_by(LedgerRow.window)
    )
    return {window: int(total) for window, total in session.execute(statement)}


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
