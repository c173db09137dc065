"""A file that is in the store becomes an asset: by an upload, or as a copy of one that is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.errors import BlobMissing, Problem
from tenants import blocklist, catalog, outbox, quota, tags
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
    """A new private album with copies of the assets, in their order. Commits. As `copy_into`."""
    copies = _copied(site, assets)
    album = catalog.create_album(site.session, site.tenant_id, title, now=site.now(), ordering=catalog.Ordering.MANUAL)
    _take(site, album, copies)
    return album


def copy_into(site: Site, assets: Sequence[Asset], album_id: str) -> None:
    """Copies of the assets at the end of an album, in their order; captions, tags and turns come along. Commits.

    Copying takes its time, so no transaction is open meanwhile; what a failure leaves in the store the sweep finds.
    Raises `Problem` for none, for too many, for more than the plan has room for, and if the album is gone by then.
    """
    copies = _copied(site, assets)
    album = catalog.album_by_id(site.session, site.tenant_id, album_id)
    if album is None:
        raise Problem("gone", "The album was removed in the meantime.")
    _take(site, album, copies)


@dataclass(frozen=True)
class _Copy:
    source: str
    target: str
    filename: str
    sha256: str
    size: int
    caption: str
    turn: int
    tags: tuple[str, ...]


def _copied(site: Site, assets: Sequence[Asset]) -> list[_Copy]:
    """Copy the originals, with no transaction open."""
    if not assets:
        raise Problem("invalid", "There is nothing to copy.")
    if len(assets) > MOST_COPIES:
        raise Problem("too-large", "At most %(most)s files are copied at once.", values={"most": MOST_COPIES})
    for asset in assets:
        blocklist.refuse_blocked(site.session, asset.sha256)
    labels = tags.of(site.session, [asset.id for asset in assets])
    copies = [
        _Copy(
            each.id,
            new_id(),
            each.filename,
            each.sha256,
            each.size,
            each.caption,
            each.turn,
            tuple(labels.get(each.id, ())),
        )
        for each in assets
    ]
    quota.check(site)
    site.session.rollback()
    for each in copies:
        source = original_key(site.tenant_id, each.source, each.sha256)
        try:
            site.blobs.copy(source, original_key(site.tenant_id, each.target, each.sha256))
        except BlobMissing:
            raise Problem("conflict", "One of the files is not in the store any more. Reload the page.") from None
    return copies


def _take(site: Site, album: Album, copies: Sequence[_Copy]) -> None:
    quota.take(site, sum(each.size for each in copies))
    for each in copies:
        asset = add(site, album, each.target, each.filename, each.sha256, each.size)
        asset.caption, asset.turn = each.caption, each.turn
        tags.put(site.session, asset, each.tags)
    site.session.commit()
