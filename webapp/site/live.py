"""Tiles that are still being processed turn into pictures while the page is open."""

from flask import Response, g, jsonify, render_template, request

from tenants.names import is_id
from webapp.site import guests, listing
from webapp.site.blueprint import album_or_404, site

MOST_IDS = 100


@site.get("/a/<slug>/tiles")
def tiles(slug: str) -> Response:
    """What became of `ids` (comma-separated): markup of those that can be seen now, percent of those that cannot yet,
    and which are gone. The ETag changes with the answer, so polling costs a few bytes while nothing happens."""
    album = album_or_404(slug)
    asked = [asset_id for asset_id in request.args.get("ids", "").split(",") if is_id(asset_id)][:MOST_IDS]
    known = {tile.id: tile for tile in listing.some(g.site.session, album, asked)}
    shown = [tile for tile in known.values() if tile.shown]
    hearts = guests.hearts(album)
    answer = jsonify(
        shown={tile.id: render_template("site/one_tile.html", album=album, tile=tile, hearts=hearts) for tile in shown},
        waiting={tile.id: tile.progress for tile in known.values() if not tile.shown},
        gone=[asset_id for asset_id in asked if asset_id not in known],
    )
    answer.add_etag()
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer
