"""The end of what a tenant has deleted, once it can no longer be brought back."""

from datetime import timedelta

from sqlalchemy import delete, or_, select

from infra.sql import reading
from processor.leftovers import forget_objects
from tenants import quota
from tenants.catalog import Album, Asset
from tenants.scope import Site
from tenants.usage import Meter


def assets(site: Site, undo: timedelta) -> int:
    """Remove assets that were deleted `undo` ago, or whose album was, or that were thrown out of the trash; how many.

    The row and the record that its storage is free again go in one transaction; the objects after it. A crash between
    the two leaves objects without a row, which `leftovers` removes.
    """
    before = site.now() - undo
    due = (
        select(Asset.id, Asset.album_id, Asset.size)
        .join(Album, (Album.tenant_id == Asset.tenant_id) & (Album.id == Asset.album_id))
        .where(
            or_(
                Asset.deleted_at < before,
                Album.deleted_at < before,
                Asset.emptied_at.is_not(None),
                Album.emptied_at.is_not(None),
            )
        )
        .order_by(Asset.id)
    )
    with reading():
        found = site.session.execute(due).all()
        site.session.rollback()
    for asset_id, album_id, size in found:
        gone = site.session.execute(
            delete(Asset)
            .where(Asset.tenant_id == site.tenant_id, Asset.id == asset_id)
            .execution_options(synchronize_session=False)
        )
        if gone.rowcount:  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult
            quota.give_back(site.session, site.tenant_id, size)
            site.use(f"purge:{asset_id}", Meter.STORED, -size, album_id=album_id, asset_id=asset_id)
        site.session.commit()
        forget_objects(site, asset_id)
    return len(found)


def albums(site: Site, undo: timedelta) -> int:
    """Remove albums that were deleted `undo` ago, or thrown out of the trash, and hold no asset any more; how many."""
    gone = site.session.execute(
        delete(Album)
        .where(
            Album.tenant_id == site.tenant_id,
            or_(Album.deleted_at < site.now() - undo, Album.emptied_at.is_not(None)),
            ~select(Asset.id).where(Asset.tenant_id == Album.tenant_id, Asset.album_id == Album.id).exists(),
        )
        .execution_options(synchronize_session=False)
    )
    site.session.commit()
    return int(gone.rowcount)  # type: ignore[attr-defined]
