"""Exports of a whole tenant: asked for in the dashboard, made by a worker, kept for days, fetched by a signed link.

WAITING -> WORKING -> READY -> GONE; FAILED ends it early. `fence` and `leased_until` are its lease, as an asset's are:
each holder writes an archive of its own, and only the holder of the newest fence can finish.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import BigInteger, Index, Integer, String, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from infra.sql import reading
from tenants.catalog import Asset
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, export_key, export_prefix, is_id, new_id
from tenants.scope import Site

KEPT = timedelta(days=7)
"""How long an archive can be fetched."""
LINK_LIVES = timedelta(hours=24)
_SALT = "export-1"


class ExportState(enum.Enum):
    WAITING = "waiting"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"


OVER = (ExportState.READY, ExportState.FAILED, ExportState.GONE)


class Export(TenantOwned, Base):
    __tablename__ = "exports"
    __table_args__ = (Index("ix_exports_state", "state", "leased_until"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    state: Mapped[ExportState] = mapped_column(ChoiceType(ExportState, impl=String(8)), default=ExportState.WAITING)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    leased_until: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int] = mapped_column(Integer, default=0)
    """Files, of which `done` are in the archive."""
    missing: Mapped[int] = mapped_column(Integer, default=0)
    """Originals that the store had no more; the archive names them."""
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    reason: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    @property
    def under_way(self) -> bool:
        return self.state not in OVER

    @property
    def percent(self) -> int:
        return 100 if self.state is ExportState.READY else min(99, 100 * self.done // max(1, self.total))


class LostExport(Exception):
    """Another worker makes this archive now, or it is over: stop, and change nothing."""


@dataclass(frozen=True)
class ExportClaim:
    export_id: str
    fence: int


def message(tenant_id: str, export_id: str) -> dict[str, str]:
    """The body of the message that has an export made."""
    return {"kind": "export", "tenant": tenant_id, "export": export_id}


def ask(site: Site) -> Export:
    """A new export and its message, within the current transaction. Raises `Problem` while one is under way."""
    if site.session.scalar(select(Export.id).where(Export.state.not_in(OVER)).limit(1)) is not None:
        raise Problem("conflict", "An export is being made already. Wait until it is ready.")
    files = select(func.count()).select_from(Asset).where(Asset.deleted_at.is_(None))
    export = Export(tenant_id=site.tenant_id, id=new_id(), created_at=site.now(), total=site.session.scalar(files) or 0)
    site.session.add(export)
    site.enqueue(message(site.tenant_id, export.id))
    site.session.flush()
    return export


def latest(session: Session, limit: int = 5) -> list[Export]:
    return list(session.scalars(select(Export).order_by(Export.id.desc()).limit(limit)))


def key_of(export: Export) -> str:
    return export_key(export.tenant_id, export.id, export.fence)


# --- The worker's part ------------------------------------------------------------------------------------------------


def claim(site: Site, export_id: str, seconds: float) -> ExportClaim | None:
    """Take the export for `seconds`; None if it is over, or someone has it. Commits."""
    now = site.now()
    taken = _set(
        site,
        Export.id == export_id,
        or_(Export.leased_until.is_(None), Export.leased_until <= now),
        fence=Export.fence + 1,
        leased_until=now + timedelta(seconds=seconds),
        state=ExportState.WORKING,
        done=0,
        missing=0,
    )
    if not taken:
        site.session.rollback()
        return None
    fence = site.session.scalar(select(Export.fence).where(Export.id == export_id)) or 0
    site.session.commit()
    return ExportClaim(export_id, fence)


def progress(site: Site, held: ExportClaim, done: int, total: int, seconds: float) -> None:
    """Say how far it is, and hold on for `seconds` from now. Commits. Raises `LostExport`."""
    _mine(site, held, done=done, total=total, leased_until=site.now() + timedelta(seconds=seconds))


def ready(site: Site, held: ExportClaim, size: int, missing: int = 0, files: int = 0) -> None:
    now = site.now()
    end = {"ready_at": now, "expires_at": now + KEPT, "leased_until": None, "done": files, "total": files}
    _mine(site, held, state=ExportState.READY, size=size, missing=missing, **end)


def release(site: Site, held: ExportClaim) -> None:
    """Let go early. No error if it was lost before."""
    _set(site, Export.id == held.export_id, Export.fence == held.fence, leased_until=site.now())
    site.session.commit()


def fail(site: Site, export_id: str, reason: str, idle: timedelta = timedelta()) -> bool:
    """FAILED, unless it is over or was held less than `idle` ago; whether this call did it. Commits."""
    since = func.coalesce(Export.leased_until, Export.created_at)
    own = (Export.id == export_id, since <= site.now() - idle)
    failed = _set(site, *own, state=ExportState.FAILED, reason=reason, leased_until=None)
    site.session.commit()
    return failed


def _mine(site: Site, held: ExportClaim, **values: Any) -> None:
    changed = _set(site, Export.id == held.export_id, Export.fence == held.fence, **values)
    site.session.commit()
    if not changed:
        raise LostExport(f"fence {held.fence} of {held.export_id}")


def _set(site: Site, *which: Any, **values: Any) -> bool:
    changed = site.session.execute(
        update(Export)
        .where(Export.tenant_id == site.tenant_id, Export.state.not_in(OVER), *which)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def requeue(site: Site, idle: timedelta) -> int:
    """Send a message again for exports that nobody has touched for `idle`; how many. As for assets (`reconcile`)."""
    forgotten = (
        Export.state.not_in(OVER),
        or_(Export.leased_until.is_(None), Export.leased_until <= site.now()),
        func.coalesce(Export.leased_until, Export.created_at) < site.now() - idle,
    )
    with reading():
        found = site.session.scalars(select(Export.id).where(*forgotten)).all()
        site.session.rollback()
    for export_id in found:
        if _set(site, Export.id == export_id, *forgotten, leased_until=site.now()):
            site.enqueue(message(site.tenant_id, export_id))
        site.session.commit()
    return len(found)


def tidy(site: Site) -> int:
    """Remove archives whose time is up, and those that are no export's newest; how many exports went."""
    with reading():
        rows = site.session.execute(select(Export.id, Export.state, Export.fence, Export.expires_at)).all()
        site.session.rollback()
    gone = 0
    for export_id, state, fence, expires_at in rows:
        over = state is ExportState.READY and expires_at is not None and expires_at <= site.now()
        if over:
            site.session.execute(
                update(Export)
                .where(Export.tenant_id == site.tenant_id, Export.id == export_id)
                .values(state=ExportState.GONE)
                .execution_options(synchronize_session=False)
            )
            site.session.commit()
            gone += 1
        kept = export_key(site.tenant_id, export_id, fence) if fence and state is not ExportState.GONE else ""
        if state in OVER:
            for found in site.blobs.list(export_prefix(site.tenant_id, export_id)):
                if over or found.key != kept:
                    site.blobs.delete(found.key)
    return gone


# --- The link ---------------------------------------------------------------------------------------------------------


def mint(secret: str, export: Export, now: datetime) -> str:
    """A token that fetches this archive for `LINK_LIVES`, and nothing else: a download tool needs no session."""
    until = int((now + LINK_LIVES).timestamp())
    return str(URLSafeSerializer(secret, salt=_SALT).dumps([export.tenant_id, export.id, until]))


def opened_by(session: Session, secret: str, tenant_id: str, token: str, now: datetime) -> Export | None:
    """The READY export that the token is for, if it is this tenant's and its time is not up."""
    try:
        owner, export_id, until = URLSafeSerializer(secret, salt=_SALT).loads(token)
    except (BadSignature, ValueError, TypeError):
        return None
    if owner != tenant_id or not is_id(export_id) or until <= now.timestamp():
        return None
    export = session.get(Export, (tenant_id, export_id))
    return export if export is not None and export.state is ExportState.READY else None
