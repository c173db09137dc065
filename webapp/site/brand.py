"""What stands for a site elsewhere: icons, manifest, and the cards that other sites show of it.

Addresses carry a version, so a copy may be kept for good; a request for an older one gets what is right now, briefly.
"""

import contextlib
import io

from flask import Response, g, jsonify, request
from sqlalchemy import select

from infra.errors import BlobExists, BlobMissing, Problem
from tenants.catalog import Album, Visibility
from tenants.names import brand_key, card_key, cards_prefix, icon_key, rendition_key
from tenants.ordering import covers
from tenants.sharing import Viewer, sees_marked
from webapp.brand import card, icons
from webapp.site import listing
from webapp.site.blueprint import album_or_404, site
from webapp.site.sending import send_blob
from webapp.site.tiles import Tile

FOREVER = "public, max-age=31536000, immutable"
FOR_NOW = "public, max-age=300"
ENOUGH = card.SIZE[0]


@site.get("/favicon.ico")
def favicon() -> Response:
    """Where browsers look by themselves: on pages that are no HTML."""
    return _icon(32, FOR_NOW)


@site.get("/brand/icon.png")
def icon() -> Response:
    size = request.args.get("size", icons.SIZES[0], type=int)
    if size not in icons.SIZES:
        raise Problem("not-found")
    return _icon(size, FOREVER if request.args.get("v") == icons.version(g.site.tenant) else FOR_NOW)


def _icon(size: int, cache: str) -> Response:
    sha256 = g.site.tenant.brand.icon_sha256
    if sha256:
        key = icon_key(g.site.tenant_id, sha256, size)
        return send_blob(g.site.blobs, key, content_type="image/png", cache=cache)
    response = Response(icons.drawn(g.site.tenant, size), content_type="image/png")
    response.headers["Cache-Control"] = cache
    response.add_etag()
    response.make_conditional(request)
    return response


@site.get("/site.webmanifest")
def manifest() -> Response:
    response = jsonify(icons.manifest(g.site.tenant))
    response.content_type = "application/manifest+json"
    response.headers["Cache-Control"] = FOR_NOW
    return response


def card_url(album: Album, cover: Tile | None) -> str | None:
    """Path of the picture for `og:image`; None for an album that needs more than its address to be seen."""
    if album.visibility is Visibility.PRIVATE:
        return None
    return f"/a/{album.slug}/card.jpg?v={_version(cover, album)[:16]}"


def home_card_url(cover: Tile | None) -> str:
    """Path of the picture that stands for the whole site; `cover` is that of the first album on the home page."""
    return f"/card.jpg?v={_version(cover)[:16]}"


@site.get("/card.jpg")
def home_card() -> Response:
    newest = select(Album).where(Album.visibility == Visibility.PUBLIC, Album.deleted_at.is_(None))
    album = g.site.session.scalar(newest.order_by(Album.id.desc()).limit(1))
    return _card(g.site.tenant_id, _cover_of(album) if album else None, public=True)


@site.get("/a/<slug>/card.jpg")
def album_card(slug: str) -> Response:
    album = album_or_404(slug)
    return _card(album.id, _cover_of(album), public=album.visibility is Visibility.PUBLIC)


def _cover_of(album: Album) -> Tile | None:
    chosen = covers(g.site.session, [album]).get(album.id)
    return listing.tile_of(g.site.session, chosen, _anybody()) if chosen else None


def _anybody() -> Viewer:
    """Cards are kept and go to other sites: they show what everyone sees, whoever asks first."""
    return Viewer(tenant_id=g.site.tenant_id, marks_by_default=g.site.tenant.marks)


def _version(cover: Tile | None, album: Album | None = None) -> str:
    """`album` is the cover's, where it is at hand."""
    brand = g.site.tenant.brand
    return card.fingerprint(
        *((cover.id, cover.generation, _is_marked(cover, album)) if cover and cover.shown else ()),
        brand.logo_sha256,
        icons.version(g.site.tenant),
        brand.theme.value,
        brand.paper_light,
        brand.paper_dark,
    )


def _is_marked(cover: Tile, album: Album | None) -> str | None:
    if album is None or album.id != cover.album_id:
        album = g.site.session.get_one(Album, (g.site.tenant_id, cover.album_id))
    return "marked" if sees_marked(_anybody(), album) else None


def _card(subject: str, cover: Tile | None, *, public: bool) -> Response:
    """The subject's card, made when it is first asked for and kept until a newer one takes its place."""
    version, tenant_id = _version(cover), g.site.tenant_id
    key = card_key(tenant_id, subject, version)
    cache = FOREVER if request.args.get("v") == version[:16] else FOR_NOW
    if not public:
        cache = "private, max-age=300"
    try:
        g.site.blobs.stat(key)
    except BlobMissing:
        _make(key, cover)
        for old in list(g.site.blobs.list(cards_prefix(tenant_id, subject))):
            if old.key != key:
                g.site.blobs.delete(old.key)
    return send_blob(g.site.blobs, key, content_type=card.CONTENT_TYPE, cache=cache)


def _make(key: str, cover: Tile | None) -> None:
    tenant = g.site.tenant
    logo = tenant.brand.logo_sha256
    jpeg = card.made(
        tenant.brand,
        _pixels(cover) if cover else None,
        _read(brand_key(tenant.id, logo)) if logo else None,
        icons.drawn(tenant, 192),
    )
    with contextlib.suppress(BlobExists):  # Someone else asked at the same moment.
        g.site.blobs.put(key, io.BytesIO(jpeg), content_type=card.CONTENT_TYPE)


def _pixels(tile: Tile) -> bytes | None:
    """The smallest JPEG that is wide enough, else the largest there is."""
    jpegs = tile.renditions.jpegs
    if not tile.shown or not jpegs:
        return None
    best = next((still for still in jpegs if still.width >= ENOUGH), jpegs[-1])
    return _read(rendition_key(g.site.tenant_id, tile.id, tile.generation, tile.stored_name(best.name)))


def _read(key: str) -> bytes | None:
    try:
        with g.site.blobs.open(key) as file:
            return bytes(file.read())
    except BlobMissing:
        return None
