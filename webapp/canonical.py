"""Absolute addresses for the world outside: previews, search engines, embedding pages.

They name one host whichever was asked, and pictures by addresses that last, not by those that pages use: these end
within days, and other sites' pages may not load them.
"""

from threading import Lock
from urllib.parse import quote

from cachetools import TTLCache
from flask import Flask, current_app, g

from tenants import domains
from tenants.catalog import Album, Visibility
from tenants.scope import settings
from webapp import kept
from webapp.site.tiles import Picture, Tile

REMEMBERED_SECONDS = 60
_lock = Lock()


def init_app(app: Flask) -> None:
    app.extensions["vitrine.canonical"] = TTLCache(maxsize=4096, ttl=REMEMBERED_SECONDS)
    app.add_template_global(origin, "canonical_origin")


def origin() -> str:
    """Scheme, host and port of the tenant's canonical host."""
    if "canonical_origin" not in g:
        g.canonical_origin = settings().site_url(_host())
    found: str = g.canonical_origin
    return found


def _host() -> str:
    cache: TTLCache[tuple[str, int], str] = current_app.extensions["vitrine.canonical"]
    known = g.site.tenant_id, kept.edition()
    host = cache.get(known)
    if host is None:
        host = domains.canonical_host(g.site.session, g.site.tenant, settings().base_domain)
        with _lock:
            cache[known] = host
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


def jpegs(tile: Tile) -> list[Picture]:
    """Narrowest first."""
    return [still for still in tile.stills if still.content_type == "image/jpeg"]


def preview(tile: Tile) -> Picture | None:
    """What link previews show."""
    return preview_of(jpegs(tile))


def preview_of(stills: list[Picture]) -> Picture | None:
    """1,200 pixels are what link previews ask for, and more only takes longer. `stills` are JPEGs, narrowest first."""
    return next((still for still in stills if still.width >= 1200), stills[-1] if stills else None)
