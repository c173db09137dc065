"""Who may work on an asset, and until when.

A claim raises the asset's fence and sets `leased_until`; the fence is the holder's number for everything it writes. A
keeper renews the lease in a thread. The lease only avoids work done twice: what keeps a late holder from changing
anything is the fence, which each of its writes compares (`processor/commit.py`). Hosts compare times of their own
clocks, so these must agree to within a fraction of the lease, as any host with NTP does.
"""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType

import structlog
from flask import Flask
from sqlalchemy import ColumnElement, case, literal, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from tenants.catalog import TERMINAL, Asset, AssetState
from tenants.scope import Site, open_site

log = structlog.get_logger(__name__)


class LostLease(Exception):
    """Someone else works on the asset, or it has come to its end: stop, and change nothing more."""


@dataclass(frozen=True)
class Claim:
    """What the holder needs to know of its asset. `fence` is also the generation that it writes.

    `rebuild`: pages show a whole generation already, of which something was lost. They go on showing it until the new
    one is whole.
    """

    asset_id: str
    album_id: str
    fence: int
    filename: str
    sha256: str
    rebuild: bool = False
    turn: int = 0
    """Degrees clockwise (`Asset.turn`)."""
    lean: bool = False
    """Whether the generation that is shown is a lean one (`Asset.lean`)."""


def claim(site: Site, asset_id: str, seconds: float) -> Claim | None:
    """Take the asset for `seconds`; None if it is gone, deleted, at its end or held by someone."""
    now = site.now()
    processing = literal(AssetState.PROCESSING, Asset.state.type)
    taken = site.session.execute(
        update(Asset)
        .where(
            Asset.tenant_id == site.tenant_id,
            Asset.id == asset_id,
            Asset.state.not_in(TERMINAL),
            Asset.deleted_at.is_(None),
            or_(Asset.leased_until.is_(None), Asset.leased_until <= now),
        )
        .values(
            fence=Asset.fence + 1,
            leased_until=now + timedelta(seconds=seconds),
            state=case((Asset.state == AssetState.RECEIVED, processing), else_=Asset.state),
            stage="",
            progress=0,
            claimed_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    if not taken.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        site.session.rollback()
        return None
    row = site.session.execute(
        select(
            Asset.id,
            Asset.album_id,
            Asset.fence,
            Asset.filename,
            Asset.sha256,
            Asset.rebuild_asked_at.is_not(None),
            Asset.turn,
            Asset.lean,
        ).where(Asset.tenant_id == site.tenant_id, Asset.id == asset_id)
    ).one()
    site.session.commit()
    return Claim(*row)


def renew(site: Site, held: Claim, seconds: float) -> None:
    """Hold on for `seconds` from now. Raises `LostLease`."""
    _set_end(site, held, seconds)


def release(site: Site, held: Claim) -> None:
    """Let go early, so that the next delivery need not wait. No error if it was lost before."""
    try:
        _set_end(site, held, 0)
    except LostLease:
        log.info("lease was lost before its release", fence=held.fence)


def _set_end(site: Site, held: Claim, seconds: float) -> None:
    changed = site.session.execute(
        update(Asset)
        .where(*mine(site, held))
        .values(leased_until=site.now() + timedelta(seconds=seconds))
        .execution_options(synchronize_session=False)
    )
    site.session.commit()
    if not changed.rowcount:  # type: ignore[attr-defined]
        raise LostLease(f"fence {held.fence} of {held.asset_id}")


def mine(site: Site, held: Claim) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a holder may change its asset: the compare of every compare-and-set."""
    return (
        Asset.tenant_id == site.tenant_id,
        Asset.id == held.asset_id,
        Asset.fence == held.fence,
        Asset.state.not_in(TERMINAL),
    )


class Keeper:
    """Renews a lease every third of its time while the `with` body runs, from a thread with a session of its own."""

    def __init__(self, app: Flask, tenant_id: str, held: Claim, seconds: float) -> None:
        self._app, self._tenant_id, self._held, self._seconds = app, tenant_id, held, seconds
        self._until = time.monotonic() + seconds
        self._done = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease of {held.asset_id}", daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def check(self) -> None:
        """Raises `LostLease` if the lease is lost, or ran out unrenewed (the process was stopped for a while)."""
        if self._lost.is_set() or time.monotonic() > self._until:
            raise LostLease(f"fence {self._held.fence} of {self._held.asset_id}")

    def _run(self) -> None:
        with self._app.app_context(), open_site(self._tenant_id) as site:
            while not self._done.wait(self._seconds / 3):
                until = time.monotonic() + self._seconds
                try:
                    renew(site, self._held, self._seconds)
                except LostLease:
                    self._lost.set()
                    return
                except SQLAlchemyError as error:
                    # The database may be back before the lease runs out.
                    log.warning("lease not renewed", error=str(error))
                    site.session.rollback()
                else:
                    self._until = until
