"""What closing and correcting read: usage events, what they add up to before a time, and the newest ledger rows.

Each is one statement for many tenants, and on an index whichever of them are asked about.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.ledger import LedgerRow, hour_of
from billing.plans import Dimension
from billing.quantities import Use
from tenants.usage import Meter, UsageEvent, amount_of

Newest = dict[tuple[str, datetime, str], tuple[int, int]]
"""Revision and quantity by tenant, window and dimension."""


def events_of(
    session: Session, tenant_ids: Sequence[str], start: datetime, end: datetime, meter: Meter | None = None
) -> dict[str, list[Use]]:
    """Events in [start, end), of one meter or of all, by tenant."""
    statement = select(
        UsageEvent.tenant_id, UsageEvent.meter, UsageEvent.at, UsageEvent.amount, UsageEvent.quantity
    ).where(UsageEvent.at >= start, UsageEvent.at < end, UsageEvent.tenant_id.in_(tenant_ids))
    if meter is not None:
        statement = statement.where(UsageEvent.meter == meter)
    found: dict[str, list[Use]] = defaultdict(list)
    for tenant_id, kind, at, amount, quantity in session.execute(statement):
        found[tenant_id].append(Use(kind, at, amount_of(kind, amount, quantity)))
    return found


Hourly = dict[datetime, list[Use]]
"""Events by the hour that they lie in."""


def events_by_hour(session: Session, tenant_ids: Sequence[str], start: datetime, end: datetime) -> dict[str, Hourly]:
    """Events in [start, end), by tenant and hour; asking for what is not there gives none."""
    found: dict[str, Hourly] = defaultdict(lambda: defaultdict(list))
    for tenant_id, events in events_of(session, tenant_ids, start, end).items():
        for event in events:
            found[tenant_id][hour_of(event.at)].append(event)
    return found


def sums_before(session: Session, tenant_ids: Sequence[str], meter: Meter, end: datetime) -> dict[str, int]:
    """Of all events before `end`, by tenant; those without any are left out."""
    wanted = (UsageEvent.tenant_id.in_(tenant_ids), UsageEvent.meter == meter, UsageEvent.at < end)
    sums: dict[str, int] = defaultdict(int)
    exact = select(UsageEvent.tenant_id, func.sum(UsageEvent.amount)).where(*wanted).group_by(UsageEvent.tenant_id)
    for tenant_id, total in session.execute(exact):
        sums[tenant_id] = int(total or 0)
    older = select(UsageEvent.tenant_id, UsageEvent.quantity).where(*wanted, UsageEvent.amount.is_(None))
    for tenant_id, quantity in session.execute(older):
        sums[tenant_id] += amount_of(meter, None, quantity)
    return sums


def first_events(session: Session, tenant_ids: Sequence[str], start: datetime) -> dict[str, datetime]:
    """When each tenant's first event from `start` on is; those without any are left out."""
    statement = (
        select(UsageEvent.tenant_id, func.min(UsageEvent.at))
        .where(UsageEvent.tenant_id.in_(tenant_ids), UsageEvent.at >= start)
        .group_by(UsageEvent.tenant_id)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def newest(
    session: Session, tenant_ids: Sequence[str], start: datetime, end: datetime, dimensions: Collection[Dimension]
) -> Newest:
    """The newest revision of each window in [start, end) that has a row."""
    statement = (
        select(LedgerRow.tenant_id, LedgerRow.window, LedgerRow.meter, LedgerRow.revision, LedgerRow.quantity)
        .where(
            LedgerRow.tenant_id.in_(tenant_ids),
            LedgerRow.meter.in_([dimension.value for dimension in dimensions]),
            LedgerRow.window >= start,
            LedgerRow.window < end,
        )
        .order_by(LedgerRow.revision)
    )
    return {
        (tenant_id, window, name): (revision, quantity)
        for tenant_id, window, name, revision, quantity in session.execute(statement)
    }
