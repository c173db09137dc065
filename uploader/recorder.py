"""Group commit: what many running uploads have received is synced and written down in one transaction.

Hundreds of slow uploads would otherwise each cost a transaction every two seconds, and SQLite has one writer. An upload
asks and goes on receiving; the answer is there when it next looks.
"""

import errno
from dataclasses import dataclass, field

import gevent
from flask import Flask, current_app
from gevent.event import Event
from sqlalchemy.exc import SQLAlchemyError

from infra.errors import StorageFull
from infra.ports import IntakeWriter
from infra.sql import problem_of
from tenants.db import across_tenants, db
from tenants.scope import ports
from uploader import locks, offload
from uploader.locks import Lease, LeaseLost

PAUSE_SECONDS = 0.25

_waiting: "list[Note]" = []
_writer: "gevent.Greenlet | None" = None


@dataclass(eq=False)
class Note:
    """A wish to have written down what `writer` has taken. Once `finished` is set, `offset` bytes are, or `error`."""

    lease: Lease
    writer: IntakeWriter
    offset: int = 0
    error: Exception | None = None
    finished: Event = field(default_factory=Event)


def ask(note: Note) -> None:
    """Have a note written soon. Outside of gevent it is written before this returns."""
    global _writer
    if not offload.is_cooperative():
        _write([note])
        return
    _waiting.append(note)
    if _writer is None or _writer.dead:
        _writer = gevent.spawn(_write_waiting, current_app._get_current_object())  # type: ignore[attr-defined]


def settle(note: Note) -> None:
    """Forget a note that nobody has begun to write, or wait for it: its writer may be closed afterwards."""
    if note in _waiting:
        _waiting.remove(note)
    else:
        note.finished.wait()


def _write_waiting(app: Flask) -> None:
    with app.app_context():
        while _waiting:
            batch, _waiting[:] = _waiting[:], []
            _write(batch)
            gevent.sleep(PAUSE_SECONDS)


def _write(batch: list[Note]) -> None:
    try:
        offload.call(offload.BYTES, _sync, batch)
        offload.database(_record, [note for note in batch if note.error is None])
    except SQLAlchemyError as error:
        problem = problem_of(error)
        full = problem is not None and problem.code == "disk-full"
        _fail(batch, StorageFull(errno.ENOSPC, "the database has no room") if full else error)
    except Exception as error:
        _fail(batch, error)
    finally:
        for note in batch:
            note.finished.set()


def _fail(batch: list[Note], error: Exception) -> None:
    for note in batch:
        note.error = note.error or error


def _sync(batch: list[Note]) -> None:
    for note in batch:
        try:
            note.offset = note.writer.commit()
        except OSError as error:
            note.error = error


def _record(notes: list[Note]) -> None:
    with across_tenants(db.session(), "write down what uploads have received") as session:
        standings = [(note.lease, note.offset) for note in notes]
        lost = {lease.token for lease in locks.record(session, standings, ports().clock.now())}
    for note in notes:
        if note.lease.token in lost:
            note.error = LeaseLost(note.lease.upload_id)
