"""Outbox to job queue. At least once: a crash between sending and removing sends again, which receivers survive."""

import threading
from typing import Any

import structlog
from sqlalchemy import delete
from sqlalchemy.orm import Session

from infra.sql import reading
from tenants import outbox
from tenants.db import across_tenants, db
from tenants.scope import ports
from uploader import sweep

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.3
SWEEP_SECONDS = 300.0
_BATCH = 100


def relay_once() -> int:
    """Send what is pending, oldest first; the number of messages sent."""
    session = db.session()
    with across_tenants(session, "relay the outbox"):
        share = _share_with_others if session.get_bind().dialect.name == "postgresql" else _alone
        return share(session)


def _alone(session: Session) -> int:
    """No transaction is open while sending: the embedded queue may be in the same SQLite file, which has one writer."""
    with reading():
        rows = [(row.tenant_id, row.id, row.body) for row in outbox.pending(session, _BATCH)]
    session.rollback()
    for tenant_id, row_id, body in rows:
        _send(session, tenant_id, row_id, body)
        session.commit()
    return len(rows)


def _share_with_others(session: Session) -> int:
    """A relay runs on every upload host: each holds the rows that it sends, and the others pass them by."""
    rows = [(row.tenant_id, row.id, row.body) for row in outbox.pending(session, _BATCH, hold=True)]
    try:
        for tenant_id, row_id, body in rows:
            _send(session, tenant_id, row_id, body)
    finally:
        session.commit()  # What was sent before an error is not sent again.
    return len(rows)


def _send(session: Session, tenant_id: str, row_id: str, body: dict[str, Any]) -> None:
    ports().queue.send(body, group=tenant_id)
    session.execute(delete(outbox.Outbox).where(outbox.Outbox.tenant_id == tenant_id, outbox.Outbox.id == row_id))


def run(stop: threading.Event) -> None:
    """Relay until `stop` is set; sweep every few minutes. An outage of database or queue is waited out."""
    clock = ports().clock
    next_sweep = clock.now().timestamp()
    while not stop.is_set():
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
