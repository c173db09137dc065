"""Renditions and logos. Addresses of renditions carry their own authority, checked without the database."""

from pathlib import PurePosixPath

from flask import Response, g

from infra.errors import BlobMissing, Problem
from tenants.names import RenditionKey, brand_key, is_id, is_marked, rendition_key
from tenants.scope import TenantBlobs, media_prefix, ports
from webapp import delivery
from webapp.site import lost
from webapp.site.blueprint import site
from webapp.site.sending import send_blob, send_stored

CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".avif": "image/avif",
    ".webp": "image/webp",
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
    ".ts": "video/mp2t",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".vtt": "text/vtt; charset=utf-8",
}
"""What processing makes; nothing else is served."""

CACHE = "private, max-age=172800, immutable"
"""An address never changes its content, and is out of use within three days."""


@site.get("/m/<way>/<token>/<asset_id>/<int:generation>/<path:name>")
def media(way: str, token: str, asset_id: str, generation: int, name: str) -> Response:
    """One object of a generation, for whoever holds the generation's token, while the way it names still stands.

    Plain and marked renditions have tokens of their own, so that no address turns into that of the other.
    """
    tenant_id, marked = g.tenant_id, is_marked(name)
    if not is_id(asset_id) or generation < 1:
        raise Problem("not-found")
    if not ports().edge.allows(media_prefix(tenant_id, way, asset_id, generation, marked=marked), token):
        raise Problem("not-found")
    if not delivery.stands(tenant_id, way, asset_id, marked=marked):
        raise Problem("not-found")
    content_type = CONTENT_TYPES.get(PurePosixPath(name).suffix)
    try:
        key = rendition_key(tenant_id, asset_id, generation, name)
    except ValueError:
        raise Problem("not-found") from None
    if content_type is None:
        raise Problem("not-found")
    try:
        return send_stored(TenantBlobs(tenant_id, ports()), key, content_type=content_type, cache=_cache())
    except BlobMissing:
        return lost.answer(RenditionKey(tenant_id, asset_id, generation, name))


def _cache() -> str:
    """For browsers alone, unless the edge may keep copies too: it drops them when a way closes."""
    shared = ports().edge.shared_seconds
    return f"public, max-age=172800, s-maxage={shared}, immutable" if shared else CACHE


@site.get("/brand/<sha256>")
def logo(sha256: str) -> Response:
    """The tenant's logo; older ones are gone for good."""
    brand = g.site.tenant.brand
    if brand.logo_sha256 != sha256 or not brand.logo_type:
        raise Problem("not-found")
    return send_blob(
        g.site.blobs,
        brand_key(g.site.tenant_id, sha256),
        content_type=brand.logo_type,
        cache="public, max-age=31536000, immutable",
    )
