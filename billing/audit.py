"""`billing verify`: is the ledger what was written, did each of its rows become one meter event of its value, and does
it have what the usage events say?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select, type_coerce
from sqlalchemy.orm import Session

from billing import renditions
from billing.ledger import CHAIN, GENESIS, LedgerHead, LedgerRow, MeterRow, identifier, seal
from billing.reconciliation import reconcile
from infra.sql import UtcDateTime
from tenants.usage import Meter

_STAMPS = {  # Whether an event of this state has been claimed, and whether it has been sent.
    "waiting": (False, False),
    "claimed": (True, False),
    "again": (True, False),
    "refused": (True, False),
    "doubtful": (True, False),
    "sent": (True, True),
}

_KEPT = {Meter.STORED: "bytes stored", Meter.RENDERED: "bytes of renditions"}


class Last(NamedTuple):
    """The newest row of a window and dimension."""

    number: int
    revision: int
    quantity: int


Newest = dict[tuple[datetime, str], Last]
Events = dict[str, Any]
"""The columns of meter events, by their identifier."""


@dataclass(frozen=True)
class Fault:
    """`row` is the number of the ledger row that is wrong or missing; `what` says how, for a person."""

    row: int
    what: str


def verify(session: Session, tenant_id: str) -> Iterator[Fault]:
    """Go through the tenant's chain in order.

    A row that was changed no longer fits its own hash. One whose hash was made to fit no longer fits the row after it,
    or the head: then the row with the new hash is named. Who rewrites a row, all that follow and the head leaves no
    trace in the chain; the meter events, what Stripe has of them, and the usage events still tell.

    Run it within one snapshot (`billing/cli.py`): beside a closing, rows and their head would be of two moments.
    """
    rows = session.scalars(
        select(LedgerRow)
        .where(LedgerRow.tenant_id == tenant_id)
        .order_by(LedgerRow.number)
        .execution_options(yield_per=1000, populate_existing=True)
    )
    events = _events(session, tenant_id)
    newest: Newest = {}
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
    head = session.get(LedgerHead, (tenant_id, CHAIN), populate_existing=True)
    yield from _end(head, number, sha256)
    if head is not None:
        yield from _standing(session, head, newest)
    yield from (Fault(0, f"a meter event has no row: {name}") for name in sorted(events))
    yield from (Fault(0, what) for what in renditions.differences(session, tenant_id))


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


def _revision(row: LedgerRow, newest: Newest) -> Iterator[Fault]:
    before = newest.get((row.window, row.meter), Last(0, 0, 0))
    if row.revision != before.revision + 1 or row.delta != row.quantity - before.quantity:
        yield Fault(row.number, f"{_name(row)} does not follow from revision {before.revision}")
    newest[row.window, row.meter] = Last(row.number, row.revision, row.quantity)


def _event(row: LedgerRow, events: Events) -> Iterator[Fault]:
    event = events.pop(identifier(row.tenant_id, row.meter, row.window, row.revision), None)
    if event is None:
        yield Fault(row.number, f"{_name(row)} has no meter event")
        return
    if event.value != row.delta:
        yield Fault(row.number, f"{_name(row)} adds {row.delta}, its meter event says {event.value}")
    if (event.meter, event.window, event.revision) != (row.meter, row.window, row.revision):
        yield Fault(row.number, f"{_name(row)}: its meter event says {_name(event)}")
    if _STAMPS.get(event.state) != (event.claimed_at is not None, event.sent_at is not None):
        stamps = f"claimed at {event.claimed_at} and sent at {event.sent_at}"
        yield Fault(row.number, f"{_name(row)}: its meter event is {event.state}, {stamps}")


def _end(head: LedgerHead | None, number: int, sha256: str) -> Iterator[Fault]:
    at = (head.number, head.sha256) if head is not None else (0, GENESIS)
    if at[0] > number:
        yield from (Fault(gone, "is missing") for gone in range(number + 1, at[0] + 1))
    elif at[0] < number:
        yield Fault(number, "was added behind the ledger's head")
    elif at[1] != sha256:
        yield Fault(number, "does not fit the ledger's head: it was changed and sealed anew")


def _standing(session: Session, head: LedgerHead, newest: Newest) -> Iterator[Fault]:
    """What else the head says, and what the events say of every hour that it calls closed."""
    for (window, meter), last in newest.items():
        if window >= head.closed_until:
            yield Fault(last.number, f"{meter} {window:%Y-%m-%dT%H} is not closed by the ledger's head")
    now = session.scalar(select(type_coerce(func.now(), UtcDateTime)))
    if now is None or head.looked_until > now:
        yield Fault(
            head.number, f"the ledger's head has looked for late events until {head.looked_until}, which is to come"
        )
    ledger = {key: last.quantity for key, last in newest.items() if key[0] < head.closed_until}
    account = reconcile(session, head, ledger)
    for each in account.differences:
        number = newest.get((each.window, each.meter), Last(0, 0, 0)).number
        name = f"{each.meter} {each.window:%Y-%m-%dT%H}"
        yield Fault(number, f"{name} is {each.ledger} in the ledger, {each.events} by its events")
    for kind, level in account.levels.items():
        if level != head.levels[kind]:
            what = f"the ledger's head has {head.levels[kind]} {_KEPT[kind]}, the events {level}"
            yield Fault(head.number, what)


def _events(session: Session, tenant_id: str) -> Events:
    columns = (MeterRow.meter, MeterRow.window, MeterRow.revision, MeterRow.value, MeterRow.state)
    stamps = (MeterRow.claimed_at, MeterRow.sent_at)
    wanted = select(MeterRow.identifier, *columns, *stamps).where(MeterRow.tenant_id == tenant_id)
    return {row.identifier: row for row in session.execute(wanted)}


def _name(row: Any) -> str:
    return f"{row.meter} {row.window:%Y-%m-%dT%H} revision {row.revision}"
