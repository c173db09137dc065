"""Meter events on their way to the sink, each at least once and never twice in effect.

Before an event is sent it is claimed, in a transaction of its own. A process that dies between the two leaves a claim:
whether the sink has the event is not known then. Stripe counts an identifier once within 24 hours, so a claim is simply
sent again for so long after it was first made. An older one would be counted twice if it had arrived; it becomes
`doubtful`, raises an alarm and waits for a person who has looked (`billing settle`).

While the sink is away, claims that are left are tried before new ones are made, and what was claimed and not sent is
given back: an outage leaves one event a day in doubt, not all of them.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlalchemy.orm import Session

from billing.ledger import MeterEvent, MeterRow, MeterSink, Refused
from infra import faults
from tenants.db import across_tenants, db
from tenants.scope import ports

log = structlog.get_logger(__name__)

SAFE = timedelta(hours=23)
"""How long after its first claim an event may be sent again. An hour less than Stripe remembers identifiers."""
CHUNK = 500
_CLAIMED = ("claimed", "again")


def run(sink: MeterSink) -> Counter[str]:
    """Send everything that waits; how many events came to which state. Stops quietly when the sink is away."""
    session = db.session()
    done: Counter[str] = Counter()
    with across_tenants(session, "send meter events"):
        try:
            done["doubtful"] = _doubt(session)
            while batch := _claim(session):
                outcome = _send(sink, batch)
                _note(session, outcome)
                done += Counter(state for _, state, _ in outcome)
                if len(outcome) < len(batch):
                    _release(session, batch[len(outcome) + 1 :])  # The first of the rest may have arrived.
                    break
        finally:
            session.rollback()
    if done["doubtful"]:
        ports().metrics.put("metering.doubtful", done["doubtful"])
    return +done


def _doubt(session: Session) -> int:
    old = session.execute(
        update(MeterRow)
        .where(MeterRow.state.in_(_CLAIMED), MeterRow.claimed_at < ports().clock.now() - SAFE)
        .values(state="doubtful", why="claimed and not confirmed for a day: it may or may not have been counted")
        .execution_options(synchronize_session=False)
    )
    faults.point("doubt")
    session.commit()
    if old.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        log.error("meter events are doubtful", count=old.rowcount)  # type: ignore[attr-defined]
    return int(old.rowcount)  # type: ignore[attr-defined]


def _claim(session: Session) -> list[MeterEvent]:
    """The next events, claimed: claims that somebody left, then new ones. The time of the first claim stays."""
    left = _some(session, MeterRow.state.in_(_CLAIMED))
    found = left or _some(session, MeterRow.state == "waiting")
    if found:
        _set(
            session,
            found,
            state="again" if left else "claimed",
            claimed_at=func.coalesce(MeterRow.claimed_at, ports().clock.now()),
        )
    faults.point("claim-events")
    session.commit()
    return found


def _release(session: Session, unsent: Sequence[MeterEvent]) -> None:
    """Claims of this process whose events it did not send. Not those that another process took over meanwhile."""
    if unsent:
        _set(session, unsent, MeterRow.state == "claimed", state="waiting", claimed_at=None)
    faults.point("release")
    session.commit()


def _some(session: Session, wanted: ColumnElement[bool]) -> list[MeterEvent]:
    statement = (
        select(MeterRow.identifier, MeterRow.tenant_id, MeterRow.meter, MeterRow.value, MeterRow.window)
        .where(wanted)
        .order_by(MeterRow.window, MeterRow.tenant_id)
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    )
    return [MeterEvent(*row) for row in session.execute(statement)]


Outcome = list[tuple[MeterEvent, str, str]]


def _send(sink: MeterSink, batch: Sequence[MeterEvent]) -> Outcome:
    """What became of each event, up to the first that the sink could not answer for."""
    outcome: Outcome = []
    for event in batch:
        faults.point("send")
        try:
            sink.send(event)
        except Refused as refusal:
            log.error("a meter event is refused", identifier=event.identifier, why=str(refusal))
            outcome.append((event, "refused", str(refusal)[:200]))
        except Exception as error:  # Whatever it was, the event stays claimed and is sent again.
            log.warning("meter events wait", identifier=event.identifier, error=str(error))
            break
        else:
            outcome.append((event, "sent", ""))
    faults.point("sent")
    return outcome


def _note(session: Session, outcome: Outcome) -> None:
    """What became of a batch. Committed with the next claim: until then its events count as claimed."""
    now = ports().clock.now()
    sent = [event for event, state, _ in outcome if state == "sent"]
    if sent:
        _set(session, sent, state="sent", sent_at=now)
    for event, state, why in outcome:
        if state != "sent":
            _set(session, [event], state=state, why=why)
    faults.point("mark")


def _set(session: Session, events: Sequence[MeterEvent], *wanted: ColumnElement[bool], **values: Any) -> None:
    """By their whole key, one after another in one call: a list of keys in one statement is looked up as each tenant
    of it with each identifier of it."""
    each = update(MeterRow.__table__).where(  # type: ignore[arg-type]  # a Table, not a FromClause
        MeterRow.tenant_id == bindparam("of_tenant"), MeterRow.identifier == bindparam("named"), *wanted
    )
    session.connection().execute(
        each.values(**values), [{"of_tenant": event.tenant_id, "named": event.identifier} for event in events]
    )


def settle(session: Session, identifier: str, *, counted: bool, now: datetime) -> bool:
    """A person has looked at a doubtful event: it was counted, or it is to be sent. False if there is none such.

    The session works across tenants; the caller commits.
    """
    to: dict[str, Any] = {"state": "sent", "sent_at": now} if counted else {"state": "waiting", "claimed_at": None}
    done = session.execute(
        update(MeterRow)
        .where(MeterRow.identifier == identifier, MeterRow.state == "doubtful")
        .values(why="", **to)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]
