"""`billing verify`: is the ledger what was written, and did each of its rows become one meter event of its value?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.ledger import CHAIN, GENESIS, LedgerHead, LedgerRow, MeterRow, identifier, seal


@dataclass(frozen=True)
class Fault:
    """`row` is the number of the ledger row that is wrong or missing; `what` says how, for a person."""

    row: int
    what: str


def verify(session: Session, tenant_id: str) -> Iterator[Fault]:
    """Go through the tenant's chain in order.

    A row that was changed no longer fits its own hash. One whose hash was made to fit no longer fits the row after it,
    or the head: then the row with the new hash is named. Who rewrites a row, all that follow and the head leaves no
    trace in the chain; the meter events, and what Stripe has of them, still tell.
    """
    rows = session.scalars(
        select(LedgerRow)
        .where(LedgerRow.tenant_id == tenant_id)
        .order_by(LedgerRow.number)
        .execution_options(yield_per=1000, populate_existing=True)
    )
    events = _events(session, tenant_id)
    newest: dict[tuple[datetime, str], tuple[int, int]] = {}
    number, sha256 = 0, GENESIS
    for row in rows:
        if row.number != number + 1:
            yield from (Fault(gone, "is missing") for gone in range(number + 1, row.number))
        elif row.previous != sha256:
            changed = number if _fits(row) and number else row.number
            yield Fault(changed, "does not fit the row beside it: one of them was changed and sealed anew")
        if not _fits(row):
            yield Fault(row.number, f"was changed: {_name(row)} does not fit its SHA-256")
        yield from _revision(row, newest)
        yield from _event(row, events)
        number, sha256 = row.number, row.sha256
    yield from _end(session, tenant_id, number, sha256)
    yield from (Fault(0, f"a meter event has no row: {name}") for name in sorted(events))


def _fits(row: LedgerRow) -> bool:
    return row.sha256 == seal(
        row.previous,
        tenant_id=row.tenant_id,
        number=row.number,
        window=row.window,
        meter=row.meter,
        revision=row.revision,
        quantity=row.quantity,
        delta=row.delta,
        closed_at=row.closed_at,
    )


def _revision(row: LedgerRow, newest: dict[tuple[datetime, str], tuple[int, int]]) -> Iterator[Fault]:
    revision, quantity = newest.get((row.window, row.meter), (0, 0))
    if row.revision != revision + 1 or row.delta != row.quantity - quantity:
        yield Fault(row.number, f"{_name(row)} does not follow from revision {revision}")
    newest[(row.window, row.meter)] = (row.revision, row.quantity)


def _event(row: LedgerRow, events: dict[str, int]) -> Iterator[Fault]:
    value = events.pop(identifier(row.tenant_id, row.meter, row.window, row.revision), None)
    if value is None:
        yield Fault(row.number, f"{_name(row)} has no meter event")
    elif value != row.delta:
        yield Fault(row.number, f"{_name(row)} adds {row.delta}, its meter event says {value}")


def _end(session: Session, tenant_id: str, number: int, sha256: str) -> Iterator[Fault]:
    head = session.get(LedgerHead, (tenant_id, CHAIN), populate_existing=True)
    at = (head.number, head.sha256) if head is not None else (0, GENESIS)
    if at[0] > number:
        yield from (Fault(gone, "is missing") for gone in range(number + 1, at[0] + 1))
    elif at[0] < number:
        yield Fault(number, "was added behind the ledger's head")
    elif at[1] != sha256:
        yield Fault(number, "does not fit the ledger's head: it was changed and sealed anew")


def _events(session: Session, tenant_id: str) -> dict[str, int]:
    wanted = select(MeterRow.identifier, MeterRow.value).where(MeterRow.tenant_id == tenant_id)
    return {row.identifier: row.value for row in session.execute(wanted)}


def _name(row: LedgerRow) -> str:
    return f"{row.meter} {row.window:%Y-%m-%dT%H} revision {row.revision}"
