"""The blueprint of embedding, and how its views get at an album: as nobody in particular, whoever is signed in.

A member's or a guest's session must not decide what a frame on another site shows: `look_as` puts the frame's own
viewer in the place of the session's, for templates as well.
"""

from flask import Blueprint, g

from infra.errors import Problem
from tenants import catalog, features
from tenants.catalog import Album
from tenants.features import Feature
from tenants.sharing import Action, Viewer, may
from webapp.site.blueprint import shown_asset
from webapp.site.listing import tile_of
from webapp.site.tiles import Tile

embed = Blueprint("embed", __name__)


def nobody() -> Viewer:
    return Viewer(tenant_id=g.site.tenant_id, marks_by_default=g.site.tenant.marks)


def look_as(viewer: Viewer) -> None:
    g.viewer = viewer


@embed.before_request
def _as_nobody() -> None:
    features.require(g.site.session, g.site.tenant_id, Feature.EMBEDS)
    look_as(nobody())


def open_album(slug: str) -> Album:
    """Raises 404 for one that is private, as for one that is not there."""
    album = catalog.album_by_slug(g.site.session, slug)
    if album is None or not may(nobody(), Action.VIEW, album):
        raise Problem("not-found")
    return album


def tile_for(viewer: Viewer, album: Album, asset_id: str) -> Tile:
    """A photo or video that can be seen. Raises 404."""
    tile = tile_of(g.site.session, shown_asset(viewer, album, asset_id), viewer)
    if not tile.shown:
        raise Problem("not-found")
    return tile
