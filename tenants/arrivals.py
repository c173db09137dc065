"""A file that is in the store becomes an asset: by an upload, or as a copy of one that is there."""

from collections.abc import Sequence

from infra.errors import BlobMissing, Problem
from tenants import catalog, outbox, quota
from tenants.catalog import Album, Asset
from tenants.names import new_id, original_key
from tenants.scope import Site
from tenants.usage import Meter

MOST_COPIES = 500
"""At once: each is a copy in the store, and somebody waits."""


def add(site: Site, album: Album, asset_id: str, filename: str, sha256: str, size: int) -> Asset:
    """The asset, the message that has it processed, and what it takes, within the current transaction."""
    asset = catalog.add_asset(
        site.session, album, asset_id=asset_id, filename=filename, sha256=sha256, size=size, now=site.now()
    )
    site.enqueue(outbox.media_job(site.tenant_id, asset.id))
    site.use(f"stored:{asset.id}", Meter.STORED, size, album_id=album.id, asset_id=asset.id)
    return asset


def copy(site: Site, assets: Sequence[Asset], title: str) -> Album:
    """A new private album with copies of the assets, in their order; captions come along. Commits.

    Copying takes its time, so no transaction is open meanwhile; what a failure leaves in the store the sweep finds.
    Raises `Problem` for none, for too many and for more than the plan has room for.
    """
    if not assets:
        raise Problem("invalid", "There is nothing to copy.")
    if len(assets) > MOST_COPIES:
        raise Problem("too-large", "At most %(most)s files are copied at once.", values={"most": MOST_COPIES})
    wanted = [(asset.id, new_id(), asset.filename, asset.sha256, asset.size, asset.caption) for asset in assets]
    quota.check(site)
    site.session.rollback()
    for source, target, _, sha256, _, _ in wanted:
        try:
            site.blobs.copy(original_key(site.tenant_id, source, sha256), original_key(site.tenant_id, target, sha256))
        except BlobMissing:
            raise Problem("conflict", "One of the files is not in the store any more. Reload the page.") from None
    album = catalog.create_album(site.session, site.tenant_id, title, now=site.now(), ordering=catalog.Ordering.MANUAL)
    quota.take(site, sum(size for *_, size, _ in wanted))
    for _, target, filename, sha256, size, caption in wanted:
        add(site, album, target, filename, sha256, size).caption = caption
    site.session.commit()
    return album
