"""The album site's blueprint, and the way every view gets at an album: through `may`, or not at all."""

from flask import Blueprint, g, redirect, request
from flask.typing import ResponseReturnValue

from infra.errors import Problem
from tenants import catalog, domains
from tenants.catalog import Album, Asset
from tenants.names import is_id
from tenants.scope import settings
from tenants.sharing import Action, Viewer, may
from tenants.words import tag_word
from webapp.host import detached
from webapp.site import dates, grid, pictures

site = Blueprint("site", __name__)
site.add_app_template_filter(dates.span, "date_span")
site.add_app_template_filter(dates.moment, "moment")
site.add_app_template_filter(dates.day, "day")
site.add_app_template_filter(tag_word, "tag_query")
site.add_app_template_global(pictures.show, "show")
site.add_app_template_global(grid.layout_of)
site.add_app_template_global(grid.picture)
site.add_app_template_global(grid.heart)
site.add_app_template_global(grid.tile, "site_tile")
site.add_app_template_global(grid.tiles, "site_tiles")


@site.before_request
def _at_the_first_domain() -> ResponseReturnValue | None:
    """Visitors of a tenant's other hosts are sent to the first one, if the tenant wishes. Not for good: a domain may be
    lost, and the sub-domain serves again."""
    if "site" not in g or request.method not in ("GET", "HEAD"):
        return None
    tenant = g.site.tenant
    if not tenant.redirect_to_primary or tenant.primary_host in (None, domains.normalise(request.host)):
        return None
    return redirect(settings().site_url(tenant.primary_host) + request.full_path.removesuffix("?"), 302)


def album_or_404(slug: str) -> Album:
    """The album if the viewer may see it. Whether one exists that they may not see is not told."""
    return _seen(catalog.album_by_slug(g.site.session, slug))


def album_to_show(slug: str) -> Album:
    """`album_or_404`, for a page that changes nothing of it (`tenants/detached.py`)."""
    return _seen(detached().album(g.site.tenant_id, slug))


def _seen(album: Album | None) -> Album:
    if album is None or not may(g.viewer, Action.VIEW, album):
        raise Problem("not-found")
    return album


def asset_or_404(album: Album, asset_id: str, action: Action = Action.VIEW) -> Asset:
    """The asset of that album if the viewer may do that with it and there is something to see."""
    return shown_asset(g.viewer, album, asset_id, action)


def shown_asset(viewer: Viewer, album: Album, asset_id: str, action: Action = Action.VIEW) -> Asset:
    """`asset_or_404` for another viewer than the session's."""
    asset: Asset | None = g.site.session.get(Asset, (g.site.tenant_id, asset_id)) if is_id(asset_id) else None
    if asset is None or not may(viewer, action, (album, asset)):
        raise Problem("not-found")
    if asset.generation < 1 or asset.state not in (*catalog.SHOWN, catalog.AssetState.PROCESSING):
        raise Problem("not-found")
    return asset
