"""From ids to rows of the tenant. What is missing, foreign or deleted is 404, all alike."""

from flask import g
from sqlalchemy import select

from infra.errors import Problem
from tenants.catalog import Album, Asset
from tenants.names import is_id
from tenants.sharing import ShareLink


def album(album_id: str, *, lock: bool = False) -> Album:
    """`lock`: nobody else changes its row until the end of the transaction."""
    wanted = select(Album).where(Album.id == album_id, Album.deleted_at.is_(None))
    found: Album | None = (
        g.site.session.scalar(wanted.with_for_update() if lock else wanted) if is_id(album_id) else None
    )
    if found is None:
        raise Problem("not-found")
    return found


def asset(asset_id: str, *, lock: bool = False) -> tuple[Album, Asset]:
    """A live asset of a live album, with it."""
    wanted = select(Asset).where(Asset.id == asset_id, Asset.deleted_at.is_(None))
    found: Asset | None = (
        g.site.session.scalar(wanted.with_for_update() if lock else wanted) if is_id(asset_id) else None
    )
    if found is None:
        raise Problem("not-found")
    return album(found.album_id), found


def link(link_id: str) -> ShareLink:
    """A link that was not revoked, of a live album."""
    wanted = select(ShareLink).where(ShareLink.id == link_id, ShareLink.revoked_at.is_(None))
    found: ShareLink | None = g.site.session.scalar(wanted) if is_id(link_id) else None
    if found is None:
        raise Problem("not-found")
    album(found.album_id)
    return found
