"""Photos and videos of an album."""

from collections.abc import Sequence
from typing import Any

from flask import Response, g
from sqlalchemy import literal, select, tuple_

from tenants import editing, ordering, tags
from tenants.api_tokens import Scope
from tenants.catalog import Album, Asset, Ordering
from webapp import delivery
from webapp.api import lookup
from webapp.api.answers import Document, check_version, dumped, empty, once, told
from webapp.api.blueprint import operation
from webapp.api.pages import Cursor, PageQuery, page
from webapp.api.shapes import AssetChange, AssetMove, AssetOut, page_of
from webapp.host import origin
from webapp.site import listing
from webapp.site.tiles import Tile

TAG = "Assets"
AssetPage = page_of(AssetOut, "AssetPage")
_SAME = (
    *("id", "album_id", "reason", "filename", "content_type", "size", "sha256", "width", "height", "duration"),
    *("caption", "alt", "held", "created_at", "ready_at"),
)


@operation("GET", "/albums/<album_id>/assets", scope=Scope.ALBUMS_READ, tag=TAG, returns=AssetPage, query=PageQuery)
def list_assets(query: dict[str, Any], album_id: str) -> Response:
    """List an album's assets in the album's order, in every state."""
    album = lookup.album(album_id)
    key = ordering.sort_key(album.ordering)
    cursor = Cursor("assets", album.id, album.ordering.value)
    wanted = select(Asset).where(Asset.album_id == album.id, Asset.deleted_at.is_(None)).order_by(key, Asset.id)
    place = cursor.read(query["cursor"], moments=album.ordering is Ordering.CAPTURED)
    if place is not None:
        here = tuple_(literal(place[0], key.type), literal(place[1]))
        wanted = wanted.where(tuple_(key, Asset.id) > here)
    rows = g.site.session.scalars(wanted.limit(query["limit"] + 1)).all()
    return told(page(rows, query["limit"], lambda row: cursor.at(getattr(row, key.key), row.id), documents))


@operation("GET", "/assets/<asset_id>", scope=Scope.ALBUMS_READ, tag=TAG, returns=AssetOut)
def get_asset(asset_id: str) -> Response:
    """Read an asset."""
    return told(document(lookup.asset(asset_id)[1]))


@operation(
    "PATCH",
    "/assets/<asset_id>",
    scope=Scope.ALBUMS_WRITE,
    tag=TAG,
    returns=AssetOut,
    takes=AssetChange,
    versioned=True,
)
def change_asset(body: dict[str, Any], asset_id: str) -> Response:
    """Change an asset's caption, alternative text and tags. What is left out stays."""
    camera = _camera(asset_id)
    asset = lookup.asset(asset_id, lock=True)[1]
    check_version(document(asset))
    labels = body.pop("tags", None)
    parsed = tags.parse("\n".join(labels)) if labels is not None else None
    editing.describe(g.site, asset, camera=camera, labels=parsed, **body)
    answer = document(asset)
    g.site.session.commit()
    return told(answer)


@operation(
    "POST",
    "/assets/<asset_id>/move",
    scope=Scope.ALBUMS_WRITE,
    tag=TAG,
    returns=AssetOut,
    status=201,
    takes=AssetMove,
)
def move_asset(body: dict[str, Any], asset_id: str) -> Response:
    """Move an asset to another place in its album, which must be arranged by hand."""

    def make() -> tuple[Document, None]:
        album, asset = lookup.asset(asset_id)
        ordering.move_assets(g.site.session, album, [asset.id], after=body["after"])
        album.updated_at = g.site.now()
        g.site.session.flush()
        return document(asset), None

    return once(make)


@operation("DELETE", "/assets/<asset_id>", scope=Scope.ALBUMS_WRITE, tag=TAG, status=204, versioned=True)
def delete_asset(asset_id: str) -> Response:
    """Move an asset to the trash, from where the dashboard brings it back."""
    album, asset = lookup.asset(asset_id, lock=True)
    check_version(document(asset))
    editing.bin_assets(g.site, album.id, [asset])
    g.site.session.commit()
    return empty()


def document(asset: Asset) -> Document:
    return documents([asset])[0]


def documents(assets: Sequence[Asset]) -> list[Document]:
    """All of them in three statements."""
    labels = tags.of(g.site.session, [asset.id for asset in assets])
    _load_albums({asset.album_id for asset in assets})
    tiles = {tile.id: tile for tile in listing.tiles_of(g.site.session, assets)}
    return [dumped(AssetOut, _told(asset, labels.get(asset.id, []), tiles[asset.id])) for asset in assets]


def _load_albums(ids: set[str]) -> None:
    g.site.session.scalars(select(Album).where(Album.id.in_(ids))).all()


def _told(asset: Asset, labels: list[str], tile: Tile) -> dict[str, Any]:
    return {
        **{name: getattr(asset, name) for name in _SAME},
        "kind": asset.kind.value,
        "state": asset.state.value,
        "tags": labels,
        "taken_at": asset.taken_at if asset.has_capture_time else None,
        "pictures": _pictures(tile),
    }


def _pictures(tile: Tile) -> list[dict[str, Any]]:
    if not tile.shown:
        return []
    base = origin() + delivery.base(tile.album_id, tile.id, tile.generation, marked=False)
    return [
        {"url": base + still.name, "content_type": still.content_type, "width": still.width, "height": still.height}
        for still in sorted(tile.stills, key=lambda still: (still.width, still.content_type))
    ]


def _camera(asset_id: str) -> str:
    """From the media attributes, before the transaction: they may be in a store across the network."""
    camera: str = g.site.media.get(lookup.asset(asset_id)[1].id).get("camera", "")
    g.site.session.rollback()
    return camera
