"""The script of `<vitrine-album>`, for other sites' pages, under an address that never changes."""

from flask import Response, request

from webapp.assets import DIST, asset_url
from webapp.embed.blueprint import embed

CACHE = "public, max-age=3600, stale-while-revalidate=86400"


@embed.get("/embed.js")
def script() -> Response:
    """The built file without the comment that leads to its source map, which is not at that address."""
    built = DIST / asset_url("embed.js").rpartition("/")[2]
    text = "".join(line for line in built.read_text().splitlines(True) if not line.startswith("//# sourceMappingURL="))
    response = Response(text, content_type="text/javascript; charset=utf-8")
    response.headers["Cache-Control"] = CACHE
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"  # Pages that load it as a module ask with CORS.
    response.add_etag()
    response.make_conditional(request)
    return response
