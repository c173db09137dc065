"""What the album page polls while files are on their way."""

from datetime import UTC, datetime, timedelta

from flask import g, get_template_attribute, jsonify, request
from flask.typing import ResponseReturnValue

from tenants.catalog import Asset
from tenants.names import is_id
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import lookup, queries
from webapp.dashboard.mount import bp

MOST_WATCHED = 100
_OVERLAP = timedelta(seconds=10)
"""Transactions of several upload servers commit a little out of order: the last seconds are told again."""


@bp.get("/albums/<album_id>/progress")
@require(Role.VIEWER)
def progress(album_id: str) -> ResponseReturnValue:
    """States of the assets that arrived since `since` (the `cursor` of an earlier answer) and of those named `watch`.

    `html` is the asset's tile; `working` counts all unfinished ones of the album, `counts` says what it holds, `gone`
    names watched ones that were deleted in the meantime.
    """
    album = lookup.album_of(album_id)
    watched = [asset_id for asset_id in request.args.getlist("watch") if is_id(asset_id)][:MOST_WATCHED]
    now = g.site.now()
    assets = queries.changed_assets(g.site.session, album, since=_since(now), watched=watched)
    twins = queries.twins(g.site.session, assets)
    tile = get_template_attribute("dashboard/_tile.html", "tile")
    counts_line = get_template_attribute("dashboard/_counts.html", "counts_line")
    counts = queries.counts(g.site.session, [album.id]).get(album.id, queries.Counts())
    known = {asset.id for asset in assets}
    return jsonify(
        cursor=int((now - _OVERLAP).timestamp() * 1000),
        working=queries.working(g.site.session, album),
        counts=str(counts_line(counts)),
        assets=[{**_state(asset), "html": tile(album, asset, twins.get(asset.id))} for asset in assets],
        gone=[asset_id for asset_id in watched if asset_id not in known],
    )


def _since(now: datetime) -> datetime:
    """Epoch milliseconds from the query; by default, and for nonsense, from now on."""
    try:
        return datetime.fromtimestamp(int(request.args["since"]) / 1000, UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return now


def _state(asset: Asset) -> dict[str, object]:
    return {
        "id": asset.id,
        "state": asset.state.value,
        "stage": asset.stage,
        "progress": asset.progress,
        "generation": asset.generation,
    }
