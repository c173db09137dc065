"""A file that is in the store becomes an asset: by an upload, or as a copy of one that is there.

A copy has an original of its own. Its row is there at once; the object is copied by the upload fleet before the asset
is processed (`uploader/placing.py`), and until then the album shows it as it does an upload.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.errors import Problem
from tenants import blocklist, catalog, outbox, quota, tags
from tenants.catalog import Album, Asset
from tenants.names import new_id
from tenants.scope import Site
from tenants.usage import Meter

MOST_COPIES = 500
"""At once: each is a row, in one transaction."""


def add(
    site: Site, album: Album, asset_id: str, filename: str, sha256: str, size: int, *, source_id: str = ""
) -> Asset:
    """The asset, the message that has it processed, and what it takes, within the current transaction.

    Its original is in its place, or is that of `source_id`, which is copied before the message is sent.
    """
    asset = catalog.add_asset(
        site.session, album, asset_id=asset_id, filename=filename, sha256=sha256, size=size, now=site.now()
    )
    if source_id:
        site.enqueue(outbox.copy_job(site.tenant_id, asset.id, source_id=source_id, sha256=sha256))
    else:
        site.enqueue(outbox.media_job(site.tenant_id, asset.id))
    site.use(f"stored:{asset.id}", Meter.STORED, size, album_id=album.id, asset_id=asset.id)
    return asset


def copy(site: Site, assets: Sequence[Asset], title: str) -> Album:
    """A new private album with copies of the assets, in their order. Commits. As `copy_into`."""
    copies = _planned(site, assets)
    album = catalog.create_album(site.session, site.tenant_id, title, now=site.now(), ordering=catalog.Ordering.MANUAL)
    _take(site, album, copies)
    return album


def copy_into(site: Site, assets: Sequence[Asset], album_id: str) -> None:
    """Copies of the assets at the end of an album, in their order; captions, tags and turns come along. Commits.

    Raises `Problem` for none, for too many, for more than the plan has room for, and if the album is gone.
    """
    copies = _planned(site, assets)
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


def _planned(site: Site, assets: Sequence[Asset]) -> list[_Copy]:
    if not assets:
        raise Problem("invalid", "There is nothing to copy.")
    if len(assets) > MOST_COPIES:
        raise Problem("too-large", "At most %(most)s files are copied at once.", values={"most": MOST_COPIES})
    for asset in assets:
        blocklist.refuse_blocked(site.session, asset.sha256)
    labels = tags.of(site.session, [asset.id for asset in assets])
    quota.check(site)
    return [
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


def _take(site: Site, album: Album, copies: Sequence[_Copy]) -> None:
    quota.take(site, sum(each.size for each in copies))
    for each in copies:
        asset = add(site, album, each.target, each.filename, each.sha256, each.size, source_id=each.source)
        asset.caption, asset.turn = each.caption, each.turn
        tags.put(site.session, asset, each.tags)
    site.session.commit()
