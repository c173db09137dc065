"""The end of a tenant: asked for, undone while its grace lasts, and the signed receipt of what was removed.

The row outlives the tenant and names it only until it is gone; what stays is the SHA-256 of its id, by which who knows
the id can tell that the receipt is about it. What removes everything is `processor/erasing.py`.
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, Signer
from sqlalchemy import Index, String, Text, column, func, select, table, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants import purges
from tenants.db import Base, db
from tenants.names import ID_LENGTH, is_id, new_id
from tenants.registry import Tenant, TenantState
from tenants.scope import Site, ports, settings

_SALT = "erasure-receipt-1"
RUNNING = ("trialing", "active", "past_due", "unpaid", "paused")
"""Of a subscription, in Stripe's words: while one runs, somebody pays for what would not be there."""


class Erasure(Base):
    """Not tenant-owned: it is what remains. In force while `cancelled_at` and `erased_at` are empty."""

    __tablename__ = "erasures"
    __table_args__ = (Index("ix_erasures_due", "erased_at", "due_at"), Index("ix_erasures_tenant_id", "tenant_id"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """None once it is gone."""
    subject: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the tenant's id, hex."""
    asked_by: Mapped[str] = mapped_column(String(16))
    """`owner` or `operator`: a name would be what is to be forgotten."""
    state_before: Mapped[str] = mapped_column(String(16))
    requested_at: Mapped[datetime]
    due_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    """From then on there is no way back."""
    erased_at: Mapped[datetime | None]
    receipt: Mapped[str] = mapped_column(Text, default="")


_SUBSCRIPTIONS = table("subscriptions", column("tenant_id"), column("status"), column("ends_with_period"))
"""Billing's table, which is above this layer."""


def subject(tenant_id: str) -> str:
    return hashlib.sha256(tenant_id.encode()).hexdigest()


def pending(session: Session, tenant_id: str) -> Erasure | None:
    """The tenant's erasure that is in force."""
    own = (Erasure.tenant_id == tenant_id, Erasure.cancelled_at.is_(None), Erasure.erased_at.is_(None))
    return session.scalar(select(Erasure).where(*own).order_by(Erasure.id.desc()).limit(1))


def ask(site: Site, asked_by: str, grace: timedelta | None = None) -> Erasure:
    """Close the site, to be erased when the grace is over, within the current transaction.

    Raises `Problem` if that was asked for before, or while a subscription runs that does not end by itself.
    """
    if pending(site.session, site.tenant_id) is not None:
        raise Problem("conflict", "This account is to be erased already.")
    running = select(func.count()).where(
        _SUBSCRIPTIONS.c.tenant_id == site.tenant_id,
        _SUBSCRIPTIONS.c.status.in_(RUNNING),
        _SUBSCRIPTIONS.c.ends_with_period.is_(False),
    )
    if site.session.scalar(running.select_from(_SUBSCRIPTIONS)):
        raise Problem("conflict", "A plan is still being paid for. Cancel it first.")
    tenant = site.session.get_one(Tenant, site.tenant_id)
    now = site.now()
    erasure = Erasure(
        id=new_id(),
        tenant_id=tenant.id,
        subject=subject(tenant.id),
        asked_by=asked_by,
        state_before=tenant.state.value,
        requested_at=now,
        due_at=now + (timedelta(days=settings().erasure_grace_days) if grace is None else grace),
    )
    tenant.state, tenant.closes_at, tenant.delete_after = TenantState.DELETED, None, erasure.due_at
    site.session.add(erasure)
    purges.add(site, purges.hosts_of(site), ["/"])
    site.session.flush()
    return erasure


def undo(site: Site) -> None:
    """The tenant stays, as it was. Raises `Problem` if there is nothing to undo, or no way back any more."""
    found = pending(site.session, site.tenant_id)
    if found is None:
        raise Problem("conflict", "This account is not to be erased.")
    kept = site.session.execute(
        update(Erasure)
        .where(Erasure.id == found.id, Erasure.begun_at.is_(None))
        .values(cancelled_at=site.now(), tenant_id=None)
        .execution_options(synchronize_session=False)
    )
    if not kept.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        raise Problem("gone", "The erasure has begun. Nothing can bring this account back.")
    tenant = site.session.get_one(Tenant, site.tenant_id)
    tenant.state, tenant.delete_after = TenantState(found.state_before), None
    site.session.flush()


# --- The receipt ------------------------------------------------------------------------------------------------------


def seal(secret: str, document: dict[str, Any]) -> str:
    """The document as one line of JSON with its HMAC behind it: what `opened` takes."""
    return Signer(secret, salt=_SALT, digest_method=hashlib.sha256).sign(json.dumps(document, sort_keys=True)).decode()


def opened(secret: str, receipt: str) -> dict[str, Any]:
    """The document of a receipt that this installation has signed. Raises `Problem` for anything else."""
    try:
        text = Signer(secret, salt=_SALT, digest_method=hashlib.sha256).unsign(receipt.strip())
    except BadSignature:
        raise Problem("invalid", "This is no receipt of this installation, or it was changed.") from None
    found: dict[str, Any] = json.loads(text)
    return found


def receipt_of(erasure_id: str) -> str | None:
    """The receipt of a finished erasure, by the id that was given when it was asked for."""
    if not is_id(erasure_id):
        return None
    return db.session.scalar(select(Erasure.receipt).where(Erasure.id == erasure_id, Erasure.receipt != "")) or None


def backups_end(now: datetime) -> datetime:
    return now + timedelta(days=settings().backup_days)


def due() -> list[str]:
    """Erasures whose grace is over, and those that were begun and not finished."""
    wanted = select(Erasure.id).where(
        Erasure.erased_at.is_(None), Erasure.cancelled_at.is_(None), Erasure.due_at <= ports().clock.now()
    )
    return list(db.session.scalars(wanted.order_by(Erasure.id)))
