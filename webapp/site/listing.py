"""Pages of an album by keyset: each reads just its own rows of the ordering's index, however long the album is.

A page is one statement whatever its size, and selects columns: a tile is a value, not a row to be changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, literal, select, tuple_
from sqlalchemy.orm import Session

from tenants.catalog import SHOWN, Album, Asset, AssetState, Kind, Ordering
from tenants.nesting import AlbumParent
from tenants.ordering import sort_key
from tenants.prepared import TENANT, Prepared, moment
from tenants.sharing import Viewer
from webapp.site.tiles import RENDITIONS, Tile, as_seen, with_pictures

Operand = ColumnElement[Any] | str
PAGE_SIZE = 200
WAITING = (AssetState.RECEIVED, AssetState.PROCESSING)

_FACTS = Tile._fields[: Tile._fields.index("renditions")]
_TILE = (*(getattr(Asset, name) for name in _FACTS), RENDITIONS.label("renditions"))
_KINDS: dict[Any, Kind] = {kind.value: kind for kind in Kind}
_STATES: dict[Any, AssetState] = {state.value: state for state in AssetState}


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
            Ordering.CAPTURED: None if self._session else moment(row.taken_at),
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
    place = before if backwards else after
    key, last_id = cursors.read(place) if place is not None else ("", "")
    statement = _page(album.ordering, backwards=backwards, placed=place is not None)
    rows = statement.rows(session, album=album.id, key=key, last=last_id, most=size + 1)
    more = len(rows) > size
    rows = rows[:size][::-1] if backwards else rows[:size]
    has_before, has_after = (more, True) if backwards else (place is not None, more)
    return Page(
        tiles=as_seen(session, [_tile(row) for row in rows]),
        before=cursors.at(rows[0]) if rows and has_before else None,
        after=cursors.at(rows[-1]) if rows and has_after else None,
    )


@lru_cache
def _page(ordering: Ordering, *, backwards: bool, placed: bool) -> Prepared:
    """Tiles beyond the place (`key`, `last`), `most` at most."""
    key = sort_key(ordering)
    wanted = _tiles(TENANT, bindparam("album", "")).add_columns(Asset.position, Asset.sort_name)
    if placed:
        wanted = wanted.where(_beyond(ordering, bindparam("key", "", key.type), bindparam("last", ""), backwards))
    order = (key.desc(), Asset.id.desc()) if backwards else (key, Asset.id)
    return Prepared(wanted.order_by(*order).limit(bindparam("most", 1)))


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
                    _beyond(album.ordering, literal(here[0], key.type), literal(here[1]), backwards),
                )
                .order_by(*order)
                .limit(1)
            )
        )
    return found[0], found[1]


def some(session: Session, album: Album, ids: Sequence[str]) -> list[Tile]:
    """The visible ones of the album's assets with these ids, in no order."""
    rows = session.execute(_tiles(album.tenant_id, album.id).where(Asset.id.in_(ids)))
    return as_seen(session, [_tile(row) for row in rows])


def in_order(session: Session, ids: Sequence[str]) -> list[Tile]:
    """Tiles of shown assets from whichever albums, in the order of their ids."""
    columns: Select[*tuple[Any, ...]] = select(*_TILE)
    rows = session.execute(columns.where(Asset.id.in_(ids), Asset.generation > 0, visible()))
    tiles = {tile.id: tile for tile in as_seen(session, [_tile(row) for row in rows])}
    return [tiles[asset_id] for asset_id in ids if asset_id in tiles]


def tile_of(session: Session, asset: Asset, viewer: Viewer | None = None) -> Tile:
    """As `viewer` gets it, by default whoever asks."""
    return with_pictures(session, [_tile_of(asset)], viewer)[0]


def tiles_of(session: Session, assets: Iterable[Asset]) -> list[Tile]:
    """Tiles of loaded assets, their pictures in one statement."""
    return with_pictures(session, [_tile_of(asset) for asset in assets])


_SHOWN = Asset.state.in_(SHOWN)
_COUNTS = (
    func.count().filter(_SHOWN, Asset.kind == Kind.PHOTO),
    func.count().filter(_SHOWN, Asset.kind == Kind.VIDEO),
    func.count().filter(~_SHOWN),
    func.min(Asset.taken_at).filter(Asset.has_capture_time),
    func.max(Asset.taken_at).filter(Asset.has_capture_time),
)
"""As `Counts` has them."""


def counts(session: Session, album_ids: Sequence[str]) -> dict[str, Counts]:
    """How much there is to see in each album, in one statement."""
    wanted = select(Asset.album_id, *_COUNTS).where(Asset.album_id.in_(album_ids), visible())
    return {row[0]: Counts(*row[1:]) for row in session.execute(wanted.group_by(Asset.album_id))}


@dataclass(frozen=True)
class Around:
    """What an album's page tells beside its tiles."""

    counts: Counts
    is_within: bool
    """In another album."""
    has_albums: bool


def around(session: Session, album: Album) -> Around:
    """One statement."""
    row = _AROUND.rows(session, album=album.id)[0]
    photos, videos, waiting, first, last, is_within, has_albums = row
    counted = Counts(photos, videos, waiting, first and moment(first), last and moment(last))
    return Around(counted, is_within=bool(is_within), has_albums=bool(has_albums))


_ALBUM: BindParameter[str] = bindparam("album", "")
_nested = select(AlbumParent.album_id).where(AlbumParent.tenant_id == TENANT)
_AROUND = Prepared(
    select(
        *_COUNTS,
        _nested.where(AlbumParent.album_id == _ALBUM).exists(),
        _nested.where(AlbumParent.parent_id == _ALBUM).exists(),
    ).where(Asset.tenant_id == TENANT, Asset.album_id == _ALBUM, visible())
)


def _tiles(tenant_id: Operand, album_id: Operand) -> Select[*tuple[Any, ...]]:
    columns: Select[*tuple[Any, ...]] = select(*_TILE)
    return columns.where(Asset.tenant_id == tenant_id, Asset.album_id == album_id, visible())


def _tile(row: Sequence[Any]) -> Tile:
    """Of a row that begins with `_TILE`, whether columns' types converted it or not."""
    asset_id, album_id, kind, state, filename, caption, alt, width, height, duration, *more = row[: len(_TILE)]
    taken_at, taken_offset, has_capture_time, thumbhash, dominant, generation, progress, renditions = more
    return Tile(
        asset_id,
        album_id,
        _KINDS.get(kind, kind),
        _STATES.get(state, state),
        filename,
        caption,
        alt,
        width,
        height,
        duration,
        moment(taken_at),
        taken_offset,
        bool(has_capture_time),
        thumbhash,
        dominant,
        generation,
        progress,
        renditions or "",
    )


def _tile_of(asset: Asset) -> Tile:
    return Tile(**{name: getattr(asset, name) for name in _FACTS})


def _beyond(ordering: Ordering, key: Operand, last_id: Operand, backwards: bool) -> ColumnElement[bool]:
    """Strictly past a place: a row-value comparison, which both databases answer from the ordering's index."""
    here, there = tuple_(key, last_id), tuple_(sort_key(ordering), Asset.id)
    return there < here if backwards else there > here
