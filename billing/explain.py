"""Where a line of a bill comes from: by hour, album and asset, out of the usage events behind the ledger."""

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.ledger import LedgerRow, hour_of
from billing.plans import Dimension, Reading
from tenants.usage import UsageEvent, amount_of


class Share(NamedTuple):
    """A part of a line, in the dimension's smallest unit. No album or asset: of none in particular, or of many."""

    album_id: str | None
    asset_id: str | None
    hour: datetime | None
    quantity: int


def shares(
    session: Session, tenant_id: str, dimension: Dimension, start: datetime, end: datetime, *, by_hour: bool = False
) -> list[Share]:
    """The line's parts, the largest first. They add up to what the events say of [start, end).

    Storage is told by asset for the whole period, since each asset is there in every hour; `by_hour` is for the rest.
    """
    measure = dimension.measure
    statement = select(
        UsageEvent.album_id, UsageEvent.asset_id, UsageEvent.at, UsageEvent.amount, UsageEvent.quantity
    ).where(UsageEvent.tenant_id == tenant_id, UsageEvent.meter == measure.meter, UsageEvent.at < end)
    if measure.reading is not Reading.LEVEL:
        statement = statement.where(UsageEvent.at >= start)
    found: dict[tuple[str | None, str | None, datetime | None], int] = defaultdict(int)
    for album_id, asset_id, at, amount, quantity in session.execute(statement):
        size = amount_of(measure.meter, amount, quantity)
        if measure.reading is Reading.LEVEL:
            found[album_id, asset_id, None] += size * _seconds(max(at.replace(microsecond=0), start), end)
        else:
            hour = hour_of(at) if by_hour else None
            found[album_id, asset_id, hour] += 1 if measure.reading is Reading.COUNT else size
    parts = [Share(*key, quantity) for key, quantity in found.items() if quantity]
    return sorted(parts, key=lambda part: part.quantity, reverse=True)


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
