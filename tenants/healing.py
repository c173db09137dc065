"""A lost rendition is made again from the original, once, while pages go on showing what is left.

The request is the asset's own row: a READY asset goes back to VIEWABLE, in which it is shown, with `rebuild_asked_at`
set and a media job in the outbox, in one transaction. Being a compare-and-set on READY, it happens once however many
ask. The job claims the asset as any other does, makes a new generation beside the one that is shown and swaps the two
at its end (`processor/commit.py`). What it used is counted under ids that are the asset's, so it is not counted again.

A rebuild that fails gives the asset back as it was. It is not asked for again within `PAUSE`, or a page with a broken
original would have it tried for ever.
"""

from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement, func, or_, select, update

from infra.errors import BlobMissing
from infra.sql import reading
from tenants import outbox
from tenants.catalog import Asset, AssetState, Rendition
from tenants.names import RenditionKey, rendition_key
from tenants.scope import Site

log = structlog.get_logger(__name__)

PAUSE = timedelta(hours=1)
AT_ONCE = 200
"""Assets of a tenant that are under way to a new generation, for a new mark or a whole set."""


def ask(site: Site, lost: RenditionKey, *, why: str) -> bool:
    """Have the asset of a missing rendition rebuilt; whether this call is the one that did it.

    False if nothing was lost after all: the object is there, or no page shows it any more. Begins and ends transactions
    of its own, which a caller inside `reading()` lets write.
    """
    wanted = (
        Asset.tenant_id == site.tenant_id,
        Asset.id == lost.asset,
        Asset.generation == lost.generation,
        Asset.state == AssetState.READY,
        Asset.deleted_at.is_(None),
        rested(site),
    )
    # Looked at first without the right to write: of a crowd that finds the picture missing, few ask for SQLite's lock.
    if not (_is_shown(site, lost, *wanted) and _is_missing(site, lost)):
        return False
    with reading(False):
        asked = again(site, *wanted, why="rebuild")
        site.session.commit()
    if not asked:
        return False
    log.warning("a rendition is lost, rebuilding", **lost._asdict(), why=why)
    site.metrics.put("rendition.lost", 1, tenant=site.tenant_id)
    return True


def again(site: Site, *wanted: ColumnElement[bool], why: str) -> list[str]:
    """Have those READY assets made again, within the current transaction: their ids."""
    asked = site.session.scalars(
        update(Asset)
        .where(Asset.tenant_id == site.tenant_id, Asset.state == AssetState.READY, Asset.deleted_at.is_(None), *wanted)
        .values(
            state=AssetState.VIEWABLE,
            rebuild_asked_at=site.now(),
            leased_until=site.now(),  # Run out, so nobody holds it; and `reconcile` counts its idleness from here.
            stage="",
            progress=0,
        )
        .returning(Asset.id)
        .execution_options(synchronize_session=False)
    ).all()
    for asset_id in sorted(asked):
        site.enqueue({**outbox.media_job(site.tenant_id, asset_id), "why": why})
    return sorted(asked)


def room(site: Site) -> int:
    """How many more may be asked for without anybody waiting for them: up to `AT_ONCE` are under way."""
    with reading():
        under_way = site.session.scalar(
            select(func.count()).where(Asset.state == AssetState.VIEWABLE, Asset.rebuild_asked_at.is_not(None))
        )
        site.session.rollback()
    return max(0, AT_ONCE - (under_way or 0))


def rested(site: Site) -> ColumnElement[bool]:
    """Whether an asset may be asked for: it was not within `PAUSE`."""
    return or_(Asset.rebuild_asked_at.is_(None), Asset.rebuild_asked_at < site.now() - PAUSE)


def _is_shown(site: Site, lost: RenditionKey, *wanted: object) -> bool:
    with reading():
        found = site.session.scalar(
            select(Asset.id)
            .join(Rendition, (Rendition.tenant_id == Asset.tenant_id) & (Rendition.asset_id == Asset.id))
            .where(*wanted, Rendition.generation == lost.generation, Rendition.name == lost.name)  # type: ignore[arg-type]
        )
        site.session.rollback()
    return found is not None


def _is_missing(site: Site, lost: RenditionKey) -> bool:
    try:
        site.blobs.stat(rendition_key(*lost))
    except BlobMissing:
        return True
    return False
