"""The album that the preview of a brand shows: one of the tenant's own, or coloured sheets until there is one."""

from typing import Any

from flask import g
from sqlalchemy import select

from tenants.catalog import Album
from tenants.scope import secret
from webapp.site import listing
from webapp.site.albums import Card
from webapp.site.tiles import Tiles

ENOUGH = 6
MOST = 14
LOOKED_AT = 12

SHEETS = (
    (1.5, "#8fa3ad", "#d9c9b4"),
    (0.75, "#c8a98f", "#6e7f6a"),
    (1.0, "#5f7a8a", "#b9c7c9"),
    (1.5, "#a3876a", "#e4d8c3"),
    (1.78, "#6b7f93", "#c9d3da"),
    (0.67, "#b38f83", "#e7d6cc"),
    (1.33, "#7d8c6c", "#ced4b9"),
    (1.5, "#94826f", "#dccdb9"),
)
"""Aspect ratio and two colours of each sheet."""


def shown() -> dict[str, Any]:
    """The album with its first tiles, for `dashboard/brand_preview.html`."""
    session = g.site.session
    newest = select(Album).where(Album.deleted_at.is_(None)).order_by(Album.id.desc()).limit(LOOKED_AT)
    albums = {album.id: album for album in session.scalars(newest)}
    counted = listing.counts(session, list(albums))
    photos = {album_id: counts.photos for album_id, counts in counted.items()}
    best = next((one for one in albums if photos.get(one, 0) >= ENOUGH), None)
    if best is None:
        return {"album": None, "sheets": SHEETS}
    album = albums[best]
    tiles = listing.page(session, album, listing.Cursors(secret(), album), size=MOST).tiles
    return {
        "album": album,
        "card": Card(album, None, counted[best]),
        "page": listing.Page(Tiles(tile for tile in tiles if tile.shown), waiting=False, before=None, after=None),
        "first_page": True,
        "eager": MOST,
        "hero": None,
        "may_download": False,
    }
