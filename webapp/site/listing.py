"""Pages of an album by keyset: each reads just its own rows of the ordering's index, however long the album is.

A page is two statements whatever its size, one for tiles and one for their pictures, and selects columns: a tile is a
value, not a row to be changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, select, tuple_
from sqlalchemy.orm import Session

from tenants.catalog import SHOWN, Album, Asset, AssetState, Kind, Ordering
from tenants.ordering import sort_key
from tenants.sharing import Viewer
from webapp.site.tiles import Tile, with_pictures

PAGE_SIZE = 200
WAITING = (AssetState.RECEIVED, AssetState.PROCESSING)

_TILE = (
    Asset.id,
    Asset.album_id,
    Asset.kind,
    Asset.state,
    Asset.filename,
    Asset.caption,
    Asset.alt,
    Asset.width,
    Asset.height,
    Asset.duration,
    Asset.taken_at,
    Asset.taken_offset,
    Asset.has_capture_time,
    Asset.thumbhash,
    Asset.dominant,
    Asset.generation,
    Asset.progress,
)


@dataclass(frozen=True)
class Page:
    """`before` and `after` are cursors to the neighbouring pages, None at the ends."""

    tiles: list[Tile]
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Counts:
    photos: int = 0
    videos: int = 0
    waiting: int = 0
    first: datetime | None = None
    """Earliest and latest capture time."""
    last: datetime | None = None


class Cursors:
    """Signed places in an album's order: useless in another album or ordering, and readable by whoever decodes them.

    Where pages do not tell when photos were taken, a place names its asset alone, and `session` looks the rest up.
    """

    def __init__(self, secret: str, album: Album, *, session: Session | None = None) -> None:
        self._album, self._session = album, session
        self._signer = URLSafeSerializer(secret, salt=f"place:{album.id}:{album.ordering.value}")
        self._ordering = album.ordering

    def at(self, row: Any) -> str:
        key = {
            Ordering.MANUAL: row.position,
            Ordering.CAPTURED: None if self._session else row.taken_at,
            Ordering.NAME: row.sort_name,
        }[self._ordering]
        signed: str = self._signer.dumps([key.isoformat() if isinstance(key, datetime) else key, row.id])
        return signed

    def read(self, cursor: str) -> tuple[Any, str]:
        """Raises `ValueError` for one that is not of this album in this ordering."""
        try:
            key, asset_id = self._signer.loads(cursor)
        except BadSignature:
            raise ValueError("not a place in this album") from None
        if key is None:
            return self._looked_up(asset_id), asset_id
        return (datetime.fromisoformat(key) if self._ordering is Ordering.CAPTURED else key), asset_id

    def _looked_up(self, asset_id: str) -> datetime:
        wanted = select(Asset.taken_at).where(Asset.id == asset_id, Asset.album_id == self._album.id)
        taken_at = self._session.scalar(wanted) if self._session else None
        if taken_at is None:
            raise ValueError("that photo is gone")
        return taken_at


def visible() -> ColumnElement[bool]:
    """What a visitor may know of: shown, or on its way; never what was rejected, failed, deleted or not approved."""
    return and_(Asset.deleted_at.is_(None), Asset.held.is_(False), Asset.state.in_((*SHOWN, *WAITING)))


def page(
    session: Session,
    album: Album,
    cursors: Cursors,
    *,
    after: str | None = None,
    before: str | None = None,
    size: int,
) -> Page:
    """The page behind `after`, or the one that ends right before `before`, or the first."""
    backwards = before is not None
    key = sort_key(album.ordering)
    statement = _tiles(album).add_columns(Asset.position, Asset.sort_name)
    place = before if backwards else after
    if place is not None:
        statement = statement.where(_beyond(album.ordering, cursors.read(place), backwards=backwards))
    order = (key.desc(), Asset.id.desc()) if backwards else (key, Asset.id)
    rows = list(session.execute(statement.order_by(*order).limit(size + 1)))
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    has_before, has_after = (more, True) if backwards else (place is not None, more)
    return Page(
        tiles=with_pictures(session, [_tile(row) for row in rows]),
        before=cursors.at(rows[0]) if rows and has_before else None,
        after=cursors.at(rows[-1]) if rows and has_after else None,
    )


def neighbours(session: Session, album: Album, asset: Asset) -> tuple[str | None, str | None]:
    """Ids of the shown assets right before and right after, for leafing through."""
    here = (getattr(asset, sort_key(album.ordering).key), asset.id)
    found = []
    for backwards in (True, False):
        key = sort_key(album.ordering)
        order = (key.desc(), Asset.id.desc()) if backwards else (key, Asset.id)
        found.append(
            session.scalar(
                select(Asset.id)
                .where(
                    Asset.tenant_id == album.tenant_id,
                    Asset.album_id == album.id,
                    Asset.generation > 0,
                    visible(),
                    _beyond(album.ordering, here, backwards=backwards),
                )
                .order_by(*order)
                .limit(1)
            )
        )
    return found[0], found[1]


def some(session: Session, album: Album, ids: Sequence[str]) -> list[Tile]:
    """The visible ones of the album's assets with these ids, in no order."""
    rows = session.execute(_tiles(album).where(Asset.id.in_(ids)))
    return with_pictures(session, [_tile(row) for row in rows])


def in_order(session: Session, ids: Sequence[str]) -> list[Tile]:
    """Tiles of shown assets from whichever albums, in the order of their ids."""
    columns: Select[*tuple[Any, ...]] = select(*_TILE)
    rows = session.execute(columns.where(Asset.id.in_(ids), Asset.generation > 0, visible()))
    tiles = {tile.id: tile for tile in with_pictures(session, [_tile(row) for row in rows])}
    return [tiles[asset_id] for asset_id in ids if asset_id in tiles]


def tile_of(session: Session, asset: Asset, viewer: Viewer | None = None) -> Tile:
    """As `viewer` gets it, by default whoever asks."""
    return with_pictures(session, [_tile(asset)], viewer)[0]


def tiles_of(session: Session, assets: Iterable[Asset]) -> list[Tile]:
    """Tiles of loaded assets, their pictures in one statement."""
    return with_pictures(session, [_tile(asset) for asset in assets])


def counts(session: Session, album_ids: Sequence[str]) -> dict[str, Counts]:
    """How much there is to see in each album, in one statement."""
    shown = Asset.state.in_(SHOWN)
    rows = session.execute(
        select(
            Asset.album_id,
            func.count().filter(shown, Asset.kind == Kind.PHOTO),
            func.count().filter(shown, Asset.kind == Kind.VIDEO),
            func.count().filter(~shown),
            func.min(Asset.taken_at).filter(Asset.has_capture_time),
            func.max(Asset.taken_at).filter(Asset.has_capture_time),
        )
        .where(Asset.album_id.in_(album_ids), visible())
        .group_by(Asset.album_id)
    )
    return {row[0]: Counts(*row[1:]) for row in rows}


def _tiles(album: Album) -> Select[*tuple[Any, ...]]:
    columns: Select[*tuple[Any, ...]] = select(*_TILE)
    return columns.where(Asset.tenant_id == album.tenant_id, Asset.album_id == album.id, visible())


def _tile(row: Row[Any] | Asset) -> Tile:
    return Tile(**{column.key: getattr(row, column.key) for column in _TILE})


def _beyond(ordering: Ordering, place: tuple[Any, str], *, backwards: bool) -> ColumnElement[bool]:
    """Strictly past a place: a row-value comparison, which both databases answer from the ordering's index."""
    key = sort_key(ordering)
    here = tuple_(literal(place[0], key.type), literal(place[1]))
    there = tuple_(key, Asset.id)
    return there < here if backwards else there > here
