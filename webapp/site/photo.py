"""One photo or video: its page, its capture data, its files."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from flask import Response, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import N_, Problem
from tenants import blanks, privacy, tags
from tenants.catalog import Album, Asset
from tenants.names import FULL, original_key, rendition_key
from tenants.sharing import Action, may
from webapp.site import dates, guests, listing, meta, pictures, placeless
from webapp.site.blueprint import album_or_404, asset_or_404, site
from webapp.site.sending import send_blob
from webapp.site.tiles import Tile

CAPTURE_FIELDS = (
    ("camera", N_("Camera")),
    ("lens", N_("Lens")),
    ("focal_length", N_("Focal length")),
    ("aperture", N_("Aperture")),
    ("exposure", N_("Exposure")),
    ("iso", N_("Sensitivity")),
)
"""The media attributes that pages show. What is not named here, `private.` ones above all, never reaches one."""


@site.get("/a/<slug>/<asset_id>")
def photo(slug: str, asset_id: str) -> ResponseReturnValue:
    """A page of its own for each photo: what the lightbox shows, for links and without scripts."""
    album = album_or_404(slug)
    asset = asset_or_404(album, asset_id)
    previous, following = listing.neighbours(g.site.session, album, asset)
    tile = listing.tile_of(g.site.session, asset)
    return render_template(
        "site/photo.html",
        **_shown(album, asset, tile),
        preview=meta.of_photo(album, tile, pictures.label(tile)),
        previous=previous,
        following=following,
        hearts=guests.hearts(album),
        comments=guests.comments(album, asset),
        own_comments=guests.own_comments(asset),
    )


@site.get("/a/<slug>/<asset_id>/details")
def details(slug: str, asset_id: str) -> ResponseReturnValue:
    """The capture data as a fragment, for the lightbox's panel."""
    album = album_or_404(slug)
    asset = asset_or_404(album, asset_id)
    return render_template("site/details.html", **_shown(album, asset, listing.tile_of(g.site.session, asset)))


def _shown(album: Album, asset: Asset, tile: Tile) -> dict[str, Any]:
    """What the photo's page and the lightbox's panel tell alike."""
    thing = (album, asset)
    stored = g.site.media.get(asset.id)
    return {
        "album": album,
        "tile": tile,
        "facts": capture_facts(album, asset, stored),
        "place": privacy.place_of(g.site.tenant, album, stored),
        "tags": tags.of(g.site.session, [asset.id]).get(asset.id, []),
        "may_download": may(g.viewer, Action.DOWNLOAD_ORIGINAL, thing),
        "may_download_full": FULL in tile.extras and may(g.viewer, Action.DOWNLOAD_FULL, thing),
        "may_download_web": may(g.viewer, Action.DOWNLOAD_WEB, thing),
        "may_comment": may(g.viewer, Action.COMMENT, thing),
        "wants_pin": album.id in g.viewer.without_pin and not may(g.viewer, Action.DOWNLOAD_ORIGINAL, thing),
    }


@site.get("/a/<slug>/<asset_id>/original")
def original(slug: str, asset_id: str) -> Response:
    """The file as it was uploaded, under the name that it had; where it was taken is blanked, unless pages may tell."""
    album: Album = album_or_404(slug)
    asset = asset_or_404(album, asset_id, Action.DOWNLOAD_ORIGINAL)
    found = None
    if blanks.wanted(g.viewer, g.site.tenant, album):
        found = placeless.blanks_of(asset.id, asset.blanks)
        if not found.possible:
            raise Problem("forbidden", placeless.IMPOSSIBLE)
    return send_blob(
        g.site.blobs,
        original_key(g.site.tenant_id, asset.id, asset.sha256),
        content_type=asset.content_type,
        cache="private, no-cache",
        download_as=asset.filename,
        blanks=found,
    )


@site.get("/a/<slug>/<asset_id>/full")
def full_size(slug: str, asset_id: str) -> Response:
    """A photo in the original's size with the watermark, for who would get the original without it."""
    album = album_or_404(slug)
    asset = asset_or_404(album, asset_id, Action.DOWNLOAD_FULL)
    tile = listing.tile_of(g.site.session, asset)
    if FULL not in tile.extras:
        raise Problem("not-found")
    return _send_rendition(asset, tile, FULL, "image/jpeg")


@site.get("/a/<slug>/<asset_id>/web")
def web_size(slug: str, asset_id: str) -> Response:
    """The largest picture that pages show, or a video as MP4, under the file's name, with nothing of the camera."""
    album = album_or_404(slug)
    asset = asset_or_404(album, asset_id, Action.DOWNLOAD_WEB)
    tile = listing.tile_of(g.site.session, asset)
    return _send_rendition(asset, tile, *_web_file(tile))


def _send_rendition(asset: Asset, tile: Tile, name: str, content_type: str) -> Response:
    return send_blob(
        g.site.blobs,
        rendition_key(g.site.tenant_id, asset.id, asset.generation, tile.stored_name(name)),
        content_type=content_type,
        cache="private, no-cache",
        download_as=str(PurePosixPath(asset.filename).with_suffix(PurePosixPath(name).suffix)),
    )


def _web_file(tile: Tile) -> tuple[str, str]:
    """Name and type of a tile's rendition for keeping. Raises 404 while there is none."""
    if "video.mp4" in tile.extras:
        return "video.mp4", "video/mp4"
    jpegs = tile.renditions.jpegs
    if tile.is_video or not jpegs:
        raise Problem("not-found")
    return jpegs[-1].name, "image/jpeg"


def capture_facts(album: Album, asset: Asset, stored: Mapping[str, str]) -> list[tuple[str, str]]:
    """Labelled and ready to be shown: what the tenant, or the album, lets pages tell of the `stored` attributes."""
    facts: list[tuple[str, str]] = []
    if asset.has_capture_time and privacy.shows_date(g.site.tenant, album):
        facts.append((_("Taken"), dates.moment(asset.taken_at, asset.taken_offset)))
    if privacy.shows_camera(g.site.tenant, album):
        facts += [(_(label), stored[name]) for name, label in CAPTURE_FIELDS if stored.get(name)]
    if asset.width and asset.height:
        facts.append((_("Size"), f"{asset.width} × {asset.height}"))
    return facts
