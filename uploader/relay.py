"""Outbox to job queue. At least once: a crash between sending and removing sends again, which receivers survive."""

import threading

import structlog
from sqlalchemy import delete

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
    """Send what is pending, oldest first; the number of messages sent.

    No transaction is open while sending: the embedded queue writes to the same database and would wait for it forever.
    """
    session = db.session()
    with across_tenants(session, "relay the outbox"):
        with reading():
            rows = [(row.tenant_id, row.id, row.body) for row in outbox.pending(session, _BATCH)]
        session.rollback()
        for tenant_id, row_id, body in rows:
            ports().queue.send(body, group=tenant_id)
            session.execute(
                delete(outbox.Outbox).where(outbox.Outbox.tenant_id == tenant_id, outbox.Outbox.id == row_id)
            )
            session.commit()
    return len(rows)


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
