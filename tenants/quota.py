"""How much a tenant may store and add: never over it, however many uploads begin at once.

The limits stand in the tenant's row (billing writes them from the plan; None: no limit). What is taken of them stands
in a counter a limit, and each upload keeps its own share in its row (`uploads.reserved`, `photo_month`): taken when it
is created, before a byte of it is sent, settled when the asset exists, given back when it comes to nothing or the asset
is purged. A counter moves by one conditional UPDATE, which is atomic on SQLite and PostgreSQL alike, in the transaction
of the row that it counts. `recount` makes a counter from the rows, under its lock.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, case, column, func, select, table, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import N_, Problem
from infra.sql import insert_into
from tenants.catalog import Asset
from tenants.db import Base, TenantOwned
from tenants.registry import OnBudget, Tenant
from tenants.scope import Site

STORAGE, PHOTOS = "storage", "photos"


class QuotaUse(TenantOwned, Base):
    """What is taken of one limit. There is a row only where there is a limit."""

    __tablename__ = "quota_use"

    what: Mapped[str] = mapped_column(String(8), primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)
    """Bytes of originals and of uploads under way; or uploads of the month that are not announced as videos."""
    month: Mapped[str] = mapped_column(String(7))
    """For photos the month that `used` is of, as `2026-02`."""


def month_of(now: datetime) -> str:
    return f"{now:%Y-%m}"


def set_limits(site: Site, *, storage: int | None, upload: int | None, photos: int | None) -> None:
    """Write the limits within the current transaction. What is there already stays, even if it is more."""
    site.session.execute(
        update(Tenant)
        .where(Tenant.id == site.tenant_id)
        .values(max_storage_bytes=storage, max_upload_bytes=upload, max_photos_month=photos)
    )
    if storage is not None:
        recount(site)


def refuse_over_budget(site: Site, *, guest: bool = False) -> None:
    """Raises `Problem` while the tenant's own budget is reached and set to stop. What began before may come to its end.

    A guest is told that it is so, and not of anybody's money.
    """
    if site.entitlements.over_budget is OnBudget.STOP:
        raise Problem(
            "over-budget",
            N_("No files are taken in at the moment. Please tell whoever sent you the link.")
            if guest
            else N_("This month's budget is used up, and set to stop uploads. Raise it under Usage, or wait."),
        )


def check(site: Site, *, guest: bool = False) -> int | None:
    """Before a ticket is given: bytes that are free, None without a limit. Raises `Problem` if nothing is left."""
    refuse_over_budget(site, guest=guest)
    limits = site.entitlements
    photos = _used(site, PHOTOS, month_of(site.now())) if limits.max_photos_month is not None else 0
    if limits.max_photos_month is not None and photos >= limits.max_photos_month:
        raise _photos_are_used_up(limits.max_photos_month)
    if limits.max_storage_bytes is None:
        return None
    left = limits.max_storage_bytes - _used(site, STORAGE, "")
    if left <= 0:
        raise _storage_is_full(limits.max_storage_bytes)
    return left


def take(site: Site, size: int) -> None:
    """Take `size` bytes, within the current transaction. Raises `Problem` if so much is not left."""
    most = site.entitlements.max_storage_bytes
    if most is None or size <= 0:
        return
    _ensure(site, STORAGE)
    fits = (QuotaUse.used + size <= most,)
    if not _move(site.session, site.tenant_id, STORAGE, *fits, used=QuotaUse.used + size):
        raise _storage_is_full(most)


def give_back(session: Session, tenant_id: str, size: int) -> None:
    """`size` bytes are free again, within the current transaction."""
    if size > 0:
        _move(session, tenant_id, STORAGE, used=_less(size))


def settle(site: Site, reserved: int, size: int) -> None:
    """An upload that has taken `reserved` bytes became an asset of `size`, which has them for good.

    More was taken than needed, or less: by an upload server of another release, say. Raises `Problem` if that much is
    not left.
    """
    take(site, size - reserved)
    give_back(site.session, site.tenant_id, reserved - size)


def take_photo(site: Site) -> str:
    """Count one photo of this month, within the current transaction; the month, empty without a limit.

    Raises `Problem` if the month has no photo left.
    """
    most = site.entitlements.max_photos_month
    if most is None:
        return ""
    month = month_of(site.now())
    _ensure(site, PHOTOS)
    fits = (QuotaUse.month != month) | (QuotaUse.used + 1 <= most)
    used = case((QuotaUse.month == month, QuotaUse.used + 1), else_=1)
    if most < 1 or not _move(site.session, site.tenant_id, PHOTOS, fits, used=used, month=month):
        raise _photos_are_used_up(most)
    return month


def give_photo_back(session: Session, tenant_id: str, month: str) -> None:
    """An upload came to nothing. A month that is over gets nothing back."""
    if month:
        _move(session, tenant_id, PHOTOS, QuotaUse.month == month, used=_less(1))


def recount(site: Site) -> int:
    """Set the counter of storage from what is there, under its lock; by how much it was wrong."""
    _ensure(site, STORAGE)
    own = (QuotaUse.tenant_id == site.tenant_id, QuotaUse.what == STORAGE)
    before = site.session.scalar(select(QuotaUse.used).where(*own).with_for_update()) or 0
    now = _there(site)
    if now != before:
        _move(site.session, site.tenant_id, STORAGE, used=now)
    return now - before


_UPLOADS = table("uploads", column("tenant_id"), column("reserved"))
"""The uploader's table. Its class is above this layer, and not every process knows it."""


def _there(site: Site) -> int:
    """Bytes of all originals, deleted ones included until they are purged, and what uploads under way have taken."""
    stored = select(func.coalesce(func.sum(Asset.size), 0)).where(Asset.tenant_id == site.tenant_id)
    reserved = select(func.coalesce(func.sum(_UPLOADS.c.reserved), 0)).where(_UPLOADS.c.tenant_id == site.tenant_id)
    return int(site.session.scalar(stored) or 0) + int(site.session.scalar(reserved) or 0)


def _used(site: Site, what: str, month: str) -> int:
    found = site.session.execute(
        select(QuotaUse.used, QuotaUse.month).where(QuotaUse.tenant_id == site.tenant_id, QuotaUse.what == what)
    ).one_or_none()
    if found is None:
        return _there(site) if what == STORAGE else 0
    return int(found.used) if found.month == month else 0


def _ensure(site: Site, what: str) -> None:
    """The counter's row. Of several that make it at once one does; the others wait for it and find it."""
    own = (QuotaUse.tenant_id == site.tenant_id, QuotaUse.what == what)
    if site.session.scalar(select(QuotaUse.what).where(*own)) is not None:
        return
    first = {"tenant_id": site.tenant_id, "what": what, "used": _there(site) if what == STORAGE else 0, "month": ""}
    site.session.execute(insert_into(site.session, QuotaUse).values(first).on_conflict_do_nothing())


def _move(session: Session, tenant_id: str, what: str, *fits: Any, **values: Any) -> bool:
    moved = session.execute(
        update(QuotaUse)
        .where(QuotaUse.tenant_id == tenant_id, QuotaUse.what == what, *fits)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _less(size: int) -> Any:
    return case((QuotaUse.used > size, QuotaUse.used - size), else_=0)


def _storage_is_full(most: int) -> Problem:
    return Problem(
        "over-quota",
        N_("The plan's %(gigabytes)s GB of storage are used up. Delete something for good or choose a larger plan."),
        values={"gigabytes": f"{most / 1e9:,.1f}"},
    )


def _photos_are_used_up(most: int) -> Problem:
    return Problem(
        "over-quota",
        N_("The plan's %(count)s photos of this month are used up. Wait for the next month or choose a larger plan."),
        values={"count": f"{most:,}"},
    )
