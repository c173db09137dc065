"""Absolute addresses for the world outside: previews, search engines, embedding pages.

They name one host whichever was asked, and pictures by addresses that last, not by those that pages use: these end
within days, and other sites' pages may not load them.
"""

from collections.abc import Sequence
from threading import Lock
from urllib.parse import quote

from cachetools import TTLCache
from flask import Flask, current_app, g

from tenants import domains
from tenants.catalog import Album, Visibility
from tenants.registry import Tenant
from tenants.scope import settings
from webapp.site.renditions import Picture
from webapp.site.tiles import Tile

REMEMBERED_SECONDS = 60
_lock = Lock()


def init_app(app: Flask) -> None:
    app.extensions["vitrine.canonical"] = TTLCache(maxsize=4096, ttl=REMEMBERED_SECONDS)
    app.add_template_global(origin, "canonical_origin")


def origin() -> str:
    """Scheme, host and port of the tenant's canonical host."""
    found: str | None = g.get("canonical_origin")
    if found is None:
        found = g.canonical_origin = settings().site_url(_host())
    return found


def _host() -> str:
    tenant: Tenant = g.site.tenant
    if "own_host" in g:  # A page for everybody is made with what is true now: it is kept for long.
        return domains.known_by(tenant, g.own_host, settings().base_domain)
    cache: TTLCache[str, str] = current_app.extensions["vitrine.canonical"]
    host = cache.get(tenant.id)
    if host is None:
        host = domains.canonical_host(g.site.session, tenant, settings().base_domain)
        with _lock:
            cache[tenant.id] = host
    return host


def url(path: str) -> str:
    """An absolute address in ASCII (RFC 3986): slugs may have letters of any script."""
    return origin() + quote(path)


def is_open(album: Album) -> bool:
    """Whether the world may know of it: whoever has the address of a public or an unlisted album may see it."""
    return album.visibility is not Visibility.PRIVATE


def album_url(album: Album) -> str:
    return url(f"/a/{album.slug}")


def photo_url(album: Album, asset_id: str) -> str:
    return f"{album_url(album)}/{asset_id}"


def frame_url(album: Album, asset_id: str = "") -> str:
    """The page for frames on other sites (`webapp/embed/frames.py`)."""
    return url(f"/embed/{album.slug}" + (f"/{asset_id}" if asset_id else ""))


def picture_url(album: Album, tile: Tile, picture: Picture) -> str:
    """A JPEG of an open album, for pages of other sites (`webapp/embed/pictures.py`)."""
    return f"{frame_url(album, tile.id)}/{picture.name}"


def jpegs(tile: Tile) -> Sequence[Picture]:
    """Narrowest first."""
    return tile.renditions.jpegs


def preview(tile: Tile) -> Picture | None:
    """What link previews show."""
    return preview_of(jpegs(tile))


def preview_of(stills: Sequence[Picture]) -> Picture | None:
    """1,200 pixels are what link previews ask for, and more only takes longer. `stills` are JPEGs, narrowest first."""
    return next((still for still in stills if still.width >= 1200), stills[-1] if stills else None)
