"""The pages inside frames. `/embed/<slug>` shows an album that is open to all, on any site."""

from dataclasses import dataclass

from flask import g, render_template, request
from flask.typing import ResponseReturnValue

from infra.errors import Problem
from tenants.catalog import Album
from tenants.scope import secret
from tenants.sharing import Viewer
from webapp import canonical, headers
from webapp.embed.blueprint import embed, nobody, open_album, tile_for
from webapp.site import listing
from webapp.site.tiles import Tile

PHOTOS, MOST_PHOTOS = 24, 100
THEMES = ("light", "dark")


@dataclass(frozen=True)
class Frame:
    """Where a frame's links lead. `base` is the address of the album's frame; `inside` keeps photos in the frame, where
    the album has no page that the visitor could open."""

    base: str
    inside: bool


@embed.get("/embed/<slug>")
def album(slug: str) -> ResponseReturnValue:
    found = open_album(slug)
    headers.frame_by("*")
    return album_page(found, Frame(f"/embed/{found.slug}", inside=False))


@embed.get("/embed/<slug>/<asset_id>")
def photo(slug: str, asset_id: str) -> ResponseReturnValue:
    """One photo, or a player for one video."""
    found = open_album(slug)
    page = photo_page(nobody(), found, asset_id, Frame(f"/embed/{found.slug}", inside=False))
    headers.frame_by("*")
    return page


def album_page(album: Album, frame: Frame) -> str:
    """`photos` (1 to 100) and `theme` (light, dark) are the frame's own parameters; `after` and `before` its pages'."""
    page = _tiles(album)
    counted = listing.counts(g.site.session, [album.id]).get(album.id, listing.Counts())
    return render_template(
        "embed/album.html", album=album, frame=frame, page=page, counts=counted, theme=_theme(), **_links(album, frame)
    )


def photo_page(viewer: Viewer, album: Album, asset_id: str, frame: Frame) -> str:
    tile: Tile = tile_for(viewer, album, asset_id)
    return render_template(
        "embed/photo.html", album=album, frame=frame, tile=tile, theme=_theme(), **_links(album, frame, asset_id)
    )


def _links(album: Album, frame: Frame, asset_id: str = "") -> dict[str, str | None]:
    address = canonical.photo_url(album, asset_id) if asset_id else canonical.album_url(album)
    return {"full": None if frame.inside else address}


def _tiles(album: Album) -> listing.Page:
    asked = request.args.get("photos", "")
    size = min(max(int(asked), 1), MOST_PHOTOS) if asked.isascii() and asked.isdigit() and len(asked) < 6 else PHOTOS
    cursors = listing.Cursors(secret(), album)
    after, before = request.args.get("after"), request.args.get("before")
    try:
        return listing.page(g.site.session, album, cursors, after=after, before=None if after else before, size=size)
    except ValueError:
        raise Problem("not-found") from None


def _theme() -> str:
    asked = request.args.get("theme", "")
    return asked if asked in THEMES else str(g.site.tenant.brand.theme.value)
