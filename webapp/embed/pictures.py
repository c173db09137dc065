"""JPEGs of open albums under addresses that last, for previews and for other sites' pages."""

from flask import Response

from infra.errors import BlobMissing, Problem
from tenants.names import RenditionKey, rendition_key
from tenants.scope import TenantBlobs, ports
from webapp.canonical import jpegs
from webapp.embed.blueprint import embed, nobody, open_album, tile_for
from webapp.site import lost
from webapp.site.sending import send_stored

CACHE = "public, max-age=3600"
"""An album that is made private is gone from other sites within the hour, from ours at once."""


@embed.get("/embed/<slug>/<asset_id>/<name>")
def picture(slug: str, asset_id: str, name: str) -> Response:
    """The rendition of that name as it is now. The rights are asked for each time, unlike at `/m/`."""
    album = open_album(slug)
    tile = tile_for(nobody(), album, asset_id)
    if name not in {still.name for still in jpegs(tile)}:
        raise Problem("not-found")
    stored = RenditionKey(album.tenant_id, tile.id, tile.generation, tile.stored_name(name))
    blobs = TenantBlobs(album.tenant_id, ports())
    try:
        response = send_stored(blobs, rendition_key(*stored), content_type="image/jpeg", cache=CACHE)
    except BlobMissing:
        response = lost.answer(stored)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
