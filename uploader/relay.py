"""Outbox to job queue. At least once: a crash between sending and removing sends again, which receivers survive."""

import threading
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import delete
from sqlalchemy.orm import Session

from infra.sql import reading
from tenants import catalog, outbox
from tenants.db import across_tenants, db
from tenants.heartbeat import Heartbeat
from tenants.scope import ports
from uploader import sweep

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.3
SWEEP_SECONDS = 300.0
_BATCH = 100
_COUNTED = 100  # Unfinished assets of a tenant are counted no further: more than that is much for any queue.


def relay_once() -> int:
    """Send what is pending, oldest first; the number of messages sent."""
    session = db.session()
    with across_tenants(session, "relay the outbox"):
        share = _share_with_others if session.get_bind().dialect.name == "postgresql" else _alone
        return share(session)


@dataclass(frozen=True)
class _Pending:
    """An outbox row, and how much of the tenant's work is unfinished before it."""

    tenant_id: str
    id: str
    body: dict[str, Any]
    ahead: int


def _alone(session: Session) -> int:
    """No transaction is open while sending: the embedded queue may be in the same SQLite file, which has one writer."""
    with reading():
        pending = _pending(session)
    session.rollback()
    for row in pending:
        _send(session, row)
        session.commit()
    return len(pending)


def _share_with_others(session: Session) -> int:
    """A relay runs on every upload host: each holds the rows that it sends, and the others pass them by."""
    pending = _pending(session, hold=True)
    try:
        for row in pending:
            _send(session, row)
    finally:
        session.commit()  # What was sent before an error is not sent again.
    return len(pending)


def _pending(session: Session, *, hold: bool = False) -> list[_Pending]:
    return [
        _Pending(
            row.tenant_id,
            row.id,
            row.body,
            ahead=catalog.unfinished_before(session, row.tenant_id, row.body.get("asset", ""), _COUNTED),
        )
        for row in outbox.pending(session, _BATCH, hold=hold)
    ]


def _send(session: Session, row: _Pending) -> None:
    message_id = ports().queue.send(row.body, group=row.tenant_id, ahead=row.ahead)
    about = {"tenant": row.tenant_id, "asset": row.body.get("asset"), "request_id": row.body.get("trace")}
    log.info("message sent", message=message_id, **{name: value for name, value in about.items() if value})
    session.execute(delete(outbox.Outbox).where(outbox.Outbox.tenant_id == row.tenant_id, outbox.Outbox.id == row.id))


def run(stop: threading.Event) -> None:
    """Relay until `stop` is set; sweep every few minutes. An outage of database or queue is waited out."""
    clock = ports().clock
    heartbeat = Heartbeat("relay")
    next_sweep = clock.now().timestamp()
    while not stop.is_set():
        heartbeat.beat()
        try:
            busy = relay_once() == _BATCH
            if clock.now().timestamp() >= next_sweep:
                next_sweep = clock.now().timestamp() + SWEEP_SECONDS
                sweep.sweep_all()
        except Exception:
            log.exception("relay will try again")
            db.session.rollback()
            busy = False
            stop.wait(5 * POLL_SECONDS)
        if not busy:
            stop.wait(POLL_SECONDS)
