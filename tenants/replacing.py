"""Another file in the place of one: same asset, same links, captions, comments and place in the album.

The new file was uploaded like any other, so it has been looked at and processed. The upload fleet copies its original
to where the asset's originals are, under its own SHA-256 (`uploader/placing.py`), and the pictures are made again as
lost ones are: pages show the old ones until the new are whole. The row that it came by goes into the trash. The old
original is removed by the keeper, a day later (`processor/leftovers.py`).
"""

import contextlib
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from infra.errors import BlobExists, BlobMissing, Problem
from tenants import healing, outbox, quota
from tenants.catalog import Album, Asset, AssetState
from tenants.names import new_id, original_key
from tenants.scope import Site
from tenants.usage import Meter

MOST_OFFERED = 24


@dataclass(frozen=True)
class Replacement:
    """File names."""

    old: str
    new: str


def candidates(session: Session, asset: Asset) -> list[Asset]:
    """Finished files of the same kind in the same album that came after the asset, the latest first."""
    wanted = select(Asset).where(
        Asset.album_id == asset.album_id,
        Asset.kind == asset.kind,
        Asset.state == AssetState.READY,
        Asset.deleted_at.is_(None),
        Asset.held.is_(False),
        Asset.id > asset.id,
        Asset.sha256 != asset.sha256,
    )
    return list(session.scalars(wanted.order_by(Asset.id.desc()).limit(MOST_OFFERED)))


def ask(site: Site, album: Album, asset_id: str, by_id: str) -> Replacement:
    """Have the file of `by_id` put in the place of that of `asset_id`, both of the album, after this transaction.

    Raises `Problem` as `replace`, for what can be known now.
    """
    old, new = _pair(site, album.id, asset_id, by_id)
    if new.size > old.size:
        quota.check(site)
    site.enqueue(outbox.replacement(site.tenant_id, album.id, old.id, source_id=new.id))
    return Replacement(old.filename, new.filename)


def replace(site: Site, album_id: str, asset_id: str, by_id: str) -> None:
    """What `ask` asks for. Commits nothing at its end.

    Raises `Problem`: "not-found" if one is not there, "conflict" if one is not finished or they are of different kinds.
    """
    old, new = _pair(site, album_id, asset_id, by_id)
    source, target = original_key(site.tenant_id, new.id, new.sha256), original_key(site.tenant_id, old.id, new.sha256)
    site.session.rollback()  # Copying takes its time: no transaction meanwhile.
    try:
        with contextlib.suppress(BlobExists):  # A copy that was made by an attempt before this one.
            site.blobs.copy(source, target)
    except BlobMissing:
        raise Problem("conflict", "The new file is not in the store any more. Upload it again.") from None
    old, new = _pair(site, album_id, asset_id, by_id)
    _settle(site, old, new)
    taken = {"sha256": new.sha256, "size": new.size, "filename": new.filename, "sort_name": new.sort_name}
    taken |= {"content_type": new.content_type, "crc32": new.crc32, "blanks": new.blanks}
    site.session.execute(
        update(Asset)
        .where(Asset.tenant_id == site.tenant_id, Asset.id == asset_id)
        .values(**taken, turn=new.turn, duplicate_of=None)
        .execution_options(synchronize_session=False)
    )
    new.deleted_at = site.now()
    site.session.flush()
    if not healing.again(site, Asset.id == asset_id, why="replaced"):
        raise Problem("conflict", "The file is being worked on at this moment. Try again shortly.")
    site.session.expire_all()


def _pair(site: Site, album_id: str, asset_id: str, by_id: str) -> tuple[Asset, Asset]:
    wanted = select(Asset).where(
        Asset.tenant_id == site.tenant_id,
        Asset.album_id == album_id,
        Asset.id.in_((asset_id, by_id)),
        Asset.deleted_at.is_(None),
        Asset.held.is_(False),
    )
    found = {asset.id: asset for asset in site.session.scalars(wanted)}
    if len(found) != 2:
        raise Problem("not-found", "Choose a file of this album to put in its place.")
    old, new = found[asset_id], found[by_id]
    if old.state is not AssetState.READY or new.state is not AssetState.READY or old.kind is not new.kind:
        raise Problem("conflict", "Both files must be finished, and both photos or both videos.")
    return old, new


def _settle(site: Site, old: Asset, new: Asset) -> None:
    """Storage: the asset has the new size from now on. The row that it came by counts until the trash is emptied."""
    quota.take(site, new.size - old.size)
    quota.give_back(site.session, site.tenant_id, old.size - new.size)
    event = f"replaced:{new_id()}"
    site.use(event, Meter.STORED, new.size - old.size, album_id=old.album_id, asset_id=old.id)
