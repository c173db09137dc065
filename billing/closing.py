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
from typing import NamedTuple

import structlog
from sqlalchemy import func, insert, select, type_coerce, update
from sqlalchemy.orm import Session

from billing.appending import Batch, Entry, Head, lock
from billing.corrections import corrections, late
from billing.ledger import CHAIN, GENESIS, WINDOW, LedgerHead, hour_of
from billing.lookups import Hourly, events_by_hour, first_events
from billing.quantities import window_of
from billing.witness import Witness, judge
from infra import faults
from infra.settings import Settings
from infra.sql import UtcDateTime, reading
from tenants.db import across_tenants, db
from tenants.registry import Tenant
from tenants.scope import ports

log = structlog.get_logger(__name__)

CHUNK = 500
"""Windows that are closed by one transaction, each of one tenant."""
MOST_HOURS = 24
"""How many windows of one tenant are closed by one transaction. Rows of a tenant lie side by side in the indexes of the
ledger, so that together they write little more than one of them alone."""
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
            "rendition_level": 0,
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
    """Every window that ended `lateness` ago, the oldest first: a tenant that waits holds up nobody else.

    Tenants that are behind have up to `MOST_HOURS` closed together. One that waits is asked about one hour at a time:
    metrics may cost money, and it asks again each minute.
    """
    done: Counter[str] = Counter()
    after = hour_of(now - limits.lateness)
    waiting: set[str] = set()
    window = _next(session, datetime(1970, 1, 1, tzinfo=UTC), after)
    while window is not None:
        due = _due(session, window)
        for hours, tenant_ids in (
            (1, [tenant_id for tenant_id, waited in due if waited and tenant_id not in waiting]),
            (MOST_HOURS, [tenant_id for tenant_id, waited in due if not waited]),
        ):
            if not tenant_ids:
                continue
            hours = min(hours, (after - window) // WINDOW)
            witnesses = [Witness(ports().metrics, window + number * WINDOW, tenant_ids) for number in range(hours)]
            for chunk in _chunks(tenant_ids, CHUNK // hours):
                done += _close_chunk(session, Due(witnesses, after, now, limits.patience), chunk, waiting)
        window = _next(session, window + WINDOW, after)
    for alarm in ("waiting", "disagreement"):
        if done[alarm]:
            ports().metrics.put(f"metering.{alarm}", done[alarm])
    return done


def _next(session: Session, first: datetime, after: datetime) -> datetime | None:
    between = (LedgerHead.closed_until >= first, LedgerHead.closed_until < after)
    with reading():
        found = session.scalar(select(func.min(LedgerHead.closed_until)).where(*between))
        session.rollback()
    return found


def _due(session: Session, window: datetime) -> list[tuple[str, bool]]:
    """Tenants whose next window it is, and whether each of them has waited for it."""
    wanted = select(LedgerHead.tenant_id, LedgerHead.waits_for).where(LedgerHead.closed_until == window)
    with reading():
        found = [(tenant_id, why != "") for tenant_id, why in session.execute(wanted.order_by(LedgerHead.tenant_id))]
        session.rollback()
    return found


class Due(NamedTuple):
    """Windows to close, by their witnesses, one after another. No window from `after` on is due."""

    witnesses: Sequence[Witness]
    after: datetime
    now: datetime
    patience: timedelta

    @property
    def start(self) -> datetime:
        return self.witnesses[0].window

    @property
    def end(self) -> datetime:
        return self.witnesses[-1].window + WINDOW


def _close_chunk(session: Session, due: Due, tenant_ids: Sequence[str], waiting: set[str]) -> Counter[str]:
    """The windows of some tenants, in one transaction; of those that used nothing in the first, all until they did.

    Adds to `waiting` who cannot go on.
    """
    done: Counter[str] = Counter()
    batch = Batch(due.now)
    heads = lock(session, tenant_ids, LedgerHead.closed_until == due.start)
    events = events_by_hour(session, [head.tenant_id for head in heads], due.start, due.end)
    resting = [head for head in heads if not (any(head.levels.values()) or events[head.tenant_id].get(due.start))]
    idle = _idle(session, due.start, due.after, resting)
    faults.point("close-read")
    for head in heads:
        if head.tenant_id in idle:
            head.closed_until, head.waits_for = idle[head.tenant_id], ""
            batch.add(head, ())
            done["closed"] += (head.closed_until - due.start) // WINDOW
            continue
        outcomes = _settle(batch, head, events[head.tenant_id], due)
        if "waiting" in outcomes:
            waiting.add(head.tenant_id)
        done += Counter(outcomes)
    batch.write(session)
    faults.point("close")
    session.commit()
    faults.point("closed")
    done["rows"] += len(batch.rows)
    return done


def _idle(session: Session, window: datetime, after: datetime, heads: Sequence[Head]) -> dict[str, datetime]:
    """Until when tenants that have nothing stored used nothing, where that is more than this window.

    Only as far as the metrics know of nothing either. Metrics are read once for those that used nothing at all, and
    once for the others, until the first of them did.
    """
    if window + WINDOW >= after or not heads:
        return {}
    first = first_events(session, [head.tenant_id for head in heads], window)
    never = [head.tenant_id for head in heads if first.get(head.tenant_id, after) >= after]
    later = {tenant_id: hour_of(at) for tenant_id, at in first.items() if tenant_id not in set(never)}
    found: dict[str, datetime] = {}
    for some, until in ((never, after), (list(later), min(later.values(), default=window))):
        if some and until > window + WINDOW:
            witness = Witness(ports().metrics, window, some, until)
            found |= {tenant_id: until for tenant_id in some if witness.of(tenant_id) == {}}
    return found


def _settle(batch: Batch, head: Head, events: Hourly, due: Due) -> list[str]:
    """Close the tenant's windows until one has to wait; for each what came of it: `closed`, `waiting`, or
    `disagreement` for one that was closed nevertheless."""
    outcomes: list[str] = []
    entries: list[Entry] = []
    for witness in due.witnesses:
        window = head.closed_until
        used = window_of(window, head.levels, events.get(window, ()))
        verdict = judge(witness.of(head.tenant_id), used.sums)
        if verdict.wait and due.now - (window + WINDOW) <= due.patience:
            if not head.waits_for:
                log.warning("a window waits", tenant=head.tenant_id, window=window.isoformat(), why=verdict.why)
            head.waits_for = verdict.why
            outcomes.append("waiting")
            break
        head.closed_until, head.levels, head.waits_for = window + WINDOW, used.levels, ""
        entries += (Entry(window, meter.value, quantity) for meter, quantity in used.quantities.items())
        if verdict.why:
            log.error("metrics and events disagree", tenant=head.tenant_id, window=window.isoformat(), why=verdict.why)
        outcomes.append("disagreement" if verdict.why else "closed")
    batch.add(head, entries)
    return outcomes


def _chunks(ids: Sequence[str], size: int = CHUNK) -> Iterable[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
