"""The album site's blueprint, and the way every view gets at an album: through `may`, or not at all."""

from flask import Blueprint, g

from infra.errors import Problem
from tenants import catalog
from tenants.catalog import Album, Asset
from tenants.names import is_id
from tenants.sharing import Action, may
from webapp.site import dates, pictures

site = Blueprint("site", __name__)
site.add_app_template_filter(dates.span, "date_span")
site.add_app_template_filter(dates.moment, "moment")
site.add_app_template_global(lambda tile: pictures.show(g.site, tile), "show")
site.add_app_template_global(lambda album: album.layout or g.site.tenant.brand.layout, "layout_of")


def album_or_404(slug: str) -> Album:
    """The album if the viewer may see it. Whether one exists that they may not see is not told."""
    album = catalog.album_by_slug(g.site.session, slug)
    if album is None or not may(g.viewer, Action.VIEW, album):
        raise Problem("not-found")
    return album


def asset_or_404(album: Album, asset_id: str, action: Action = Action.VIEW) -> Asset:
    """The asset of that album if the viewer may do that with it and there is something to see."""
    asset: Asset | None = g.site.session.get(Asset, (g.site.tenant_id, asset_id)) if is_id(asset_id) else None
    if asset is None or not may(g.viewer, action, (album, asset)):
        raise Problem("not-found")
    if asset.generation < 1 or asset.state not in (*catalog.SHOWN, catalog.AssetState.PROCESSING):
        raise Problem("not-found")
    return asset
