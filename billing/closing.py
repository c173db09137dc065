"""Windows become ledger rows once nothing more is expected in them, and are corrected when something comes after all.

Two passes, each a series of short transactions that a crash leaves done or not done: `correct` looks at events that
were recorded since the last time and lie in closed windows, and appends a revision where a window's quantity is not
what it was; `close` goes through the windows that have ended, oldest first, for all tenants together.

Usage events are the truth; the metrics of the window are read as the witness (docs/adr/0140). Where both say the same,
the window is closed. Where the metrics lack something the events have, or know of something the events lack, the
window waits and an alarm is raised: half of it may still be on its way. When it has waited for `patience`, or where the
metrics are merely short, it is closed with what the events say, and the disagreement is an alarm of its own.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, insert, select, type_coerce, update
from sqlalchemy.orm import Session

from billing.appending import Batch, Entry, Head, lock
from billing.corrections import corrections, late
from billing.ledger import CHAIN, GENESIS, WINDOW, LedgerHead, hour_of
from billing.lookups import events_of, first_events
from billing.quantities import Window, window_of
from billing.witness import Verdict, Witness, judge
from infra import faults
from infra.settings import Settings
from infra.sql import UtcDateTime, reading
from tenants.db import across_tenants, db
from tenants.registry import Tenant
from tenants.scope import ports

log = structlog.get_logger(__name__)

CHUNK = 500
"""Tenants whose windows are closed by one transaction."""
_NEW_TENANT = timedelta(days=1)


@dataclass(frozen=True)
class Rules:
    """`lateness`: how long after its end a window is closed. `patience`: how long after its end it may wait for
    metrics. `overlap`: longer than any transaction that records usage."""

    lateness: timedelta
    patience: timedelta
    overlap: timedelta


def rules(settings: Settings) -> Rules:
    return Rules(
        lateness=timedelta(seconds=settings.metering_lateness),
        patience=timedelta(seconds=settings.metering_patience),
        overlap=timedelta(seconds=settings.metering_overlap),
    )


def run(now: datetime, limits: Rules, *, look_back: bool = True) -> Counter[str]:
    """Enrol new tenants, correct closed windows (unless it need not `look_back`), close those that are due as of `now`.

    Safe to run at any time, twice and by several processes at once; how much of what was done.
    """
    session = db.session()
    done: Counter[str] = Counter()
    with across_tenants(session, "close windows of usage"):
        try:
            done["enrolled"] = enrol(session)
            if look_back:
                done["corrections"] = _correct(session, now, limits)
            done += _close(session, now, limits)
        finally:
            session.rollback()
    return +done


# --- New tenants ------------------------------------------------------------------------------------------------------


def enrol(session: Session) -> int:
    """A head for each tenant that has none: its first window is the hour in which it was made."""
    missing = (
        select(Tenant.id, Tenant.created_at)
        .outerjoin(LedgerHead, (LedgerHead.tenant_id == Tenant.id) & (LedgerHead.chain == CHAIN))
        .where(LedgerHead.tenant_id.is_(None))
        .with_for_update(of=Tenant, skip_locked=True)
    )
    rows = [
        {
            "tenant_id": tenant_id,
            "chain": CHAIN,
            "number": 0,
            "sha256": GENESIS,
            "closed_until": hour_of(created_at),
            "level": 0,
            "looked_until": created_at - _NEW_TENANT,
            "waits_for": "",
        }
        for tenant_id, created_at in session.execute(missing)
    ]
    if rows:
        session.execute(insert(LedgerHead.__table__), rows)  # type: ignore[arg-type]
    faults.point("enrol")
    session.commit()
    return len(rows)


# --- Late events ------------------------------------------------------------------------------------------------------


def _correct(session: Session, now: datetime, limits: Rules) -> int:
    """How many rows were appended. That all was looked at is noted last: a crash before it has it done again."""
    looked_until = _database_now(session) - limits.overlap
    looked_at = list(session.scalars(select(LedgerHead.tenant_id).where(LedgerHead.looked_until < looked_until)))
    found = late(session)
    session.rollback()
    appended = 0
    for some in _chunks(sorted(found)):
        batch = Batch(now)
        heads = lock(session, some, wait=True)
        fresh = corrections(session, heads, found)
        for head in heads:
            batch.add(head, fresh.get(head.tenant_id, ()))
        batch.write(session)
        faults.point("correct")
        session.commit()
        faults.point("corrected")
        appended += len(batch.rows)
    for chunk in _chunks(looked_at):
        session.connection().execute(
            update(LedgerHead.__table__)  # type: ignore[arg-type]
            .where(LedgerHead.tenant_id.in_(chunk), LedgerHead.looked_until < looked_until)
            .values(looked_until=looked_until)
        )
    session.commit()
    return appended


def _database_now(session: Session) -> datetime:
    """The clock that `UsageEvent.recorded_at` is by."""
    now: datetime = session.scalar(select(type_coerce(func.now(), UtcDateTime)))  # type: ignore[assignment]
    session.rollback()
    return now


# --- Windows that are due ---------------------------------------------------------------------------------------------


def _close(session: Session, now: datetime, limits: Rules) -> Counter[str]:
    """Every window that ended `lateness` ago, the oldest first: a tenant that waits holds up nobody else."""
    done: Counter[str] = Counter()
    last = hour_of(now - limits.lateness) - WINDOW
    window = _next(session, datetime(1970, 1, 1, tzinfo=UTC), last)
    while window is not None:
        due = _due(session, window)
        witness = Witness(ports().metrics, window, due)
        for chunk in _chunks(due):
            done += _close_chunk(session, witness, last, chunk, now, limits)
        window = _next(session, window + WINDOW, last)
    for alarm in ("waiting", "disagreement"):
        if done[alarm]:
            ports().metrics.put(f"metering.{alarm}", done[alarm])
    return done


def _next(session: Session, first: datetime, last: datetime) -> datetime | None:
    between = (LedgerHead.closed_until >= first, LedgerHead.closed_until <= last)
    with reading():
        found = session.scalar(select(func.min(LedgerHead.closed_until)).where(*between))
        session.rollback()
    return found


def _due(session: Session, window: datetime) -> list[str]:
    wanted = select(LedgerHead.tenant_id).where(LedgerHead.closed_until == window).order_by(LedgerHead.tenant_id)
    with reading():
        found = list(session.scalars(wanted))
        session.rollback()
    return found


def _close_chunk(
    session: Session, witness: Witness, last: datetime, tenant_ids: Sequence[str], now: datetime, limits: Rules
) -> Counter[str]:
    """The witness's window of some tenants, in one transaction; of those that used nothing, all until they did."""
    done: Counter[str] = Counter()
    window = witness.window
    impatient = now - (window + WINDOW) > limits.patience
    batch = Batch(now)
    heads = lock(session, tenant_ids, LedgerHead.closed_until == window)
    events = events_of(session, [head.tenant_id for head in heads], window, window + WINDOW)
    idle = _idle(session, window, last, [head for head in heads if not (head.level or events.get(head.tenant_id))])
    faults.point("close-read")
    for head in heads:
        if head.tenant_id in idle:
            head.closed_until, head.waits_for = idle[head.tenant_id], ""
            batch.add(head, ())
            done["closed"] += (head.closed_until - window) // WINDOW
            continue
        used = window_of(window, head.level, events.get(head.tenant_id, ()))
        done[_settle(batch, head, used, judge(witness.of(head.tenant_id), used.sums), impatient)] += 1
    batch.write(session)
    faults.point("close")
    session.commit()
    faults.point("closed")
    done["rows"] += len(batch.rows)
    return done


def _idle(session: Session, window: datetime, last: datetime, heads: Sequence[Head]) -> dict[str, datetime]:
    """Until when tenants that have nothing stored used nothing, where that is more than this window.

    Only as far as the metrics know of nothing either. Metrics are read once for those that used nothing at all, and
    once for the others, until the first of them did.
    """
    if window >= last or not heads:
        return {}
    after = last + WINDOW
    first = first_events(session, [head.tenant_id for head in heads], window)
    never = [head.tenant_id for head in heads if first.get(head.tenant_id, after) >= after]
    later = {tenant_id: hour_of(at) for tenant_id, at in first.items() if tenant_id not in set(never)}
    found: dict[str, datetime] = {}
    for some, until in ((never, after), (list(later), min(later.values(), default=window))):
        if some and until > window + WINDOW:
            witness = Witness(ports().metrics, window, some, until)
            found |= {tenant_id: until for tenant_id in some if witness.of(tenant_id) == {}}
    return found


def _settle(batch: Batch, head: Head, used: Window, verdict: Verdict, impatient: bool) -> str:
    """Close the tenant's window or let it wait; which of the two, or `disagreement` for one closed nevertheless."""
    window = head.closed_until
    if verdict.wait and not impatient:
        if not head.waits_for:
            log.warning("a window waits", tenant=head.tenant_id, window=window.isoformat(), why=verdict.why)
        head.waits_for = verdict.why
        batch.add(head, ())
        return "waiting"
    head.closed_until, head.level, head.waits_for = window + WINDOW, used.level, ""
    batch.add(head, (Entry(window, meter.value, quantity) for meter, quantity in used.quantities.items()))
    if verdict.why:
        log.error("metrics and events disagree", tenant=head.tenant_id, window=window.isoformat(), why=verdict.why)
        return "disagreement"
    return "closed"


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
