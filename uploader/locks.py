"""The lease of an upload: one writer at a time, whatever the number of upload servers.

A lease is a token and an expiry in the upload's row. Its holder renews it while bytes flow; it can be taken when it was
released, when its holder is provably dead (same machine, process gone), or when it has expired.

An expired holder may only be asleep, and could wake up with the file still open. So whoever takes a lease in that case
first moves the acknowledged bytes to a new intake key (`append.fence`): the sleeper then writes to a file that nobody
reads, and its next renewal fails.
"""

import hashlib
import os
import secrets
import socket
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from infra.errors import Problem
from tenants.names import intake_key, new_id
from tenants.scope import Site
from uploader.session import Upload, expiry

LEASE = timedelta(seconds=45)  # Longer than a body may stall (rawbody.IDLE_SECONDS): a live holder never loses it.
_SLOWEST_READ = 20 * 1024 * 1024  # Bytes a second: how much longer a lease lasts that has to read `n` bytes first.

# Tokens that requests of this process hold. A lease of this process that is not among them is nobody's.
_held: set[str] = set()
_HAS_PROC = Path("/proc/self/stat").exists()


class LeaseLost(Exception):
    """Someone else holds the upload now; stop writing."""


@dataclass(frozen=True)
class Lease:
    """What its holder needs to know of the row. `fenced` is False while a former holder may still have the file."""

    tenant_id: str
    upload_id: str
    token: str
    stored_as: str
    offset: int
    fenced: bool

    @property
    def key(self) -> str:
        return intake_key(self.tenant_id, self.stored_as)


def acquire(site: Site, upload: Upload) -> Lease:
    """Take the lease within the current transaction, whose row is locked. Raises `Problem("locked")`."""
    now = site.now()
    free = upload.lease_token is None or _is_dead(upload.lease_holder, upload.lease_token)
    if not free and upload.lease_until is not None and upload.lease_until > now:
        raise Problem(
            "locked", "Another request is writing to this upload. Try again shortly.", headers={"Retry-After": "2"}
        )
    upload.lease_token = secrets.token_hex(16)
    upload.lease_holder = _me(os.getpid())
    upload.lease_until = now + (LEASE if free else _time_to_read(upload.offset))
    _held.add(upload.lease_token)
    return Lease(
        tenant_id=upload.tenant_id,
        upload_id=upload.id,
        token=upload.lease_token,
        stored_as=upload.stored_as,
        offset=upload.offset,
        fenced=free,
    )


def moved(lease: Lease) -> Lease:
    """The lease as it is once a former holder is shut out: with a key of its own."""
    return replace(lease, stored_as=new_id(), fenced=True)


def move(site: Site, lease: Lease, beyond: Lease) -> None:
    """From now on the bytes are where `beyond` says; the caller has put them there. Commits. Raises `LeaseLost`."""
    _update(site.session, lease, stored_as=beyond.stored_as)
    site.session.commit()


def record(session: Session, standings: list[tuple[Lease, int]], now: datetime) -> list[Lease]:
    """Write down how many bytes are committed, and renew: for many uploads of any tenants in one transaction.

    Returns the leases that were lost. Commits.
    """
    lost = []
    connection = session.connection()
    for lease, offset in standings:
        statement = (
            update(Upload.__table__)  # type: ignore[arg-type]  # a declarative class's table is a Table
            .where(*_mine(lease))
            .values(offset=offset, lease_until=now + LEASE, expires_at=expiry(now))
        )
        if connection.execute(statement).rowcount != 1:
            lost.append(lease)
    session.commit()
    return lost


def extend(site: Site, lease: Lease, size: int) -> None:
    """Renew for as long as reading `size` bytes may take. Commits. Raises `LeaseLost`."""
    _update(site.session, lease, lease_until=site.now() + _time_to_read(size))
    site.session.commit()


def release(site: Site, lease: Lease) -> None:
    """Give the lease back, if it is still ours. Commits."""
    _held.discard(lease.token)
    statement = update(Upload).where(*_mine(lease)).values(lease_token=None, lease_until=None)
    site.session.execute(statement, execution_options={"synchronize_session": False})
    site.session.commit()


def held(site: Site, lease: Lease) -> Upload:
    """The row, locked for the current transaction. Raises `LeaseLost`."""
    upload = site.session.get(Upload, (site.tenant_id, lease.upload_id), populate_existing=True, with_for_update=True)
    if upload is None or upload.lease_token != lease.token:
        raise LeaseLost(lease.upload_id)
    return upload


def let_go(upload: Upload) -> None:
    """Release within the current transaction."""
    if upload.lease_token is not None:
        _held.discard(upload.lease_token)
    upload.lease_token = None
    upload.lease_until = None


def forget(lease: Lease) -> None:
    """The transaction that took the lease was rolled back."""
    _held.discard(lease.token)


def is_held(lease: Lease) -> bool:
    """Whether this process has not let go of the lease yet."""
    return lease.token in _held


def is_free(upload: Upload, now: datetime) -> bool:
    """Whether nobody is at work on the upload, for the sweep."""
    if upload.lease_token is None or upload.lease_until is None or upload.lease_until <= now:
        return True
    return _is_dead(upload.lease_holder, upload.lease_token)


def _mine(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return (
        Upload.tenant_id == lease.tenant_id,
        Upload.id == lease.upload_id,
        Upload.lease_token == lease.token,
    )


def _update(session: Session, lease: Lease, **values: object) -> None:
    statement = update(Upload).where(*_mine(lease)).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": False})
    if result.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        session.rollback()
        raise LeaseLost(lease.upload_id)


def _time_to_read(size: int) -> timedelta:
    return LEASE + timedelta(seconds=size / _SLOWEST_READ)


@cache
def _place() -> str:
    """Names the machine, this boot of it and the process-id namespace: where a process id means something."""
    marks = [socket.gethostname()]
    if _HAS_PROC:
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:16]


@cache
def _me(pid: int) -> str:
    """`<place>:<process id>:<its start>`. Cached by process id, since workers fork."""
    started = _process(pid)[1] if _HAS_PROC else "-"
    return f"{_place()}:{pid}:{started}"


def _process(pid: int) -> tuple[str, str]:
    """State letter and start (clock ticks since boot) of a process: proc(5), fields 3 and 22 of `stat`.

    Raises `FileNotFoundError` or `ProcessLookupError` if it is gone.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[19]


def _is_dead(holder: str, token: str) -> bool:
    """True only if that process certainly cannot write any more. Where there is no /proc, nobody is known dead."""
    if not _HAS_PROC:
        return False
    if holder == _me(os.getpid()):
        return token not in _held
    place, _, process = holder.partition(":")
    pid, _, started = process.partition(":")
    if place != _place() or not pid.isdigit():
        return False
    try:
        state, started_now = _process(int(pid))
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX" or started_now != started
