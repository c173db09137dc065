"""From ids in an address to rows. What is missing, foreign or deleted is "not-found", all alike."""

from flask import g
from sqlalchemy import select

from infra.errors import Problem
from tenants import catalog
from tenants.catalog import Album, Asset
from tenants.names import is_id
from tenants.sharing import Action, may


def album_of(album_id: str) -> Album:
    album = catalog.album_by_id(g.site.session, g.site.tenant_id, album_id) if is_id(album_id) else None
    if album is None or not may(g.viewer, Action.VIEW, album):
        raise Problem("not-found")
    return album


def asset_of(album: Album, asset_id: str) -> Asset:
    """A live asset of the album."""
    found = assets_of(album, [asset_id])
    return found[0]


def assets_of(album: Album, asset_ids: list[str], *, deleted: bool = False) -> list[Asset]:
    """All of the named assets, or "not-found" if one of them is not in the album (or, so asked, in its trash)."""
    wanted = {asset_id for asset_id in asset_ids if is_id(asset_id)}
    state = Asset.deleted_at.is_not(None) & Asset.emptied_at.is_(None) if deleted else Asset.deleted_at.is_(None)
    rows = list(g.site.session.scalars(select(Asset).where(Asset.album_id == album.id, Asset.id.in_(wanted), state)))
    if not deleted:
        rows = [row for row in rows if may(g.viewer, Action.VIEW, (album, row))]
    if not asset_ids or len(rows) != len(set(asset_ids)):
        raise Problem("not-found", "Nothing is selected, or some of it is gone. Reload the page.")
    return rows


def live_ones(album: Album, asset_ids: set[str]) -> dict[str, Asset]:
    """Those of the assets that are there, by id."""
    wanted = select(Asset).where(Asset.album_id == album.id, Asset.id.in_(asset_ids), Asset.deleted_at.is_(None))
    return {asset.id: asset for asset in g.site.session.scalars(wanted)}
