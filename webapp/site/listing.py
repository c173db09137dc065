"""Pages of an album by keyset: each reads just its own rows of the ordering's index, however long the album is.

A page is one statement whatever its size, and selects columns: a tile is a value, not a row to be changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from flask import g
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, literal, select, tuple_
from sqlalchemy.orm import Session

from tenants.catalog import SHOWN, Album, Asset, AssetState, Kind, Ordering
from tenants.nesting import AlbumParent
from tenants.ordering import sort_key
from tenants.prepared import TENANT, Ask, Prepared, Question, Rows, moment
from tenants.sharing import Viewer, sees_marked
from webapp.site import tiles
from webapp.site.tiles import COLUMNS, Tile, Tiles, as_seen, read_of, tile, with_pictures

Operand = ColumnElement[Any] | str
PAGE_SIZE = 200
WAITING = (AssetState.RECEIVED, AssetState.PROCESSING)


@dataclass(frozen=True)
class Page:
    """`before` and `after` are cursors to the neighbouring pages, None at the ends."""

    tiles: Tiles
    waiting: bool
    """Whether there is nothing to see yet of some."""
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
        self._secret = secret
        self._ordering = album.ordering

    @cached_property
    def _signer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret, salt=f"place:{self._album.id}:{self._ordering.value}")

    def at(self, row: Sequence[Any]) -> str:
        """Of a row that begins with the asset's id and ends with its key in the ordering."""
        key = row[-1]
        if self._ordering is Ordering.CAPTURED:
            key = None if self._session else moment(key).isoformat()
        signed: str = self._signer.dumps([key, row[0]])
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


class _Look(NamedTuple):
    """At one page of an album: what is asked, and how the answer is to be read."""

    album: Album
    cursors: Cursors
    size: int
    placed: bool
    backwards: bool
    question: Question

    def page(self, rows: Rows) -> Page:
        more = len(rows) > self.size
        rows = rows[: self.size][::-1] if self.backwards else rows[: self.size]
        has_before, has_after = (more, True) if self.backwards else (self.placed, more)
        read = read_of(rows, sees_marked(g.viewer, self.album))
        return Page(
            read.tiles,
            read.waiting,
            before=self.cursors.at(rows[0]) if rows and has_before else None,
            after=self.cursors.at(rows[-1]) if rows and has_after else None,
        )


def _look(album: Album, cursors: Cursors, after: str | None, before: str | None, size: int) -> _Look:
    backwards = before is not None
    place = before if backwards else after
    key, last_id = cursors.read(place) if place is not None else ("", "")
    statement = _page(album.ordering, backwards=backwards, placed=place is not None)
    asked = statement, {"album": album.id, "key": key, "last": last_id, "most": size + 1}
    return _Look(album, cursors, size, place is not None, backwards, asked)


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
    look = _look(album, cursors, after, before, size)
    statement, values = look.question
    return look.page(statement.rows(session, **values))


def page_and_around(
    ask: Ask,
    album: Album,
    cursors: Cursors,
    *,
    after: str | None = None,
    before: str | None = None,
    size: int,
) -> tuple[Page, "Around | None"]:
    """`page`, and with the first one what is around it: together, apart from any session."""
    look = _look(album, cursors, after, before, size)
    if after is not None:
        return look.page(ask(album.tenant_id, look.question)[0]), None
    rows, beside = ask(album.tenant_id, look.question, (_AROUND, {"album": album.id}))
    found = look.page(rows)
    return found, None if found.before else _around(beside[0])


@lru_cache
def _page(ordering: Ordering, *, backwards: bool, placed: bool) -> Prepared:
    """Tiles beyond the place (`key`, `last`), `most` at most; with each what a cursor to it holds."""
    key = sort_key(ordering)
    # A time as its text: only the first and the last are looked at.
    told = tiles.text_of(key) if ordering is Ordering.CAPTURED else key
    wanted = _tiles(TENANT, bindparam("album", "")).add_columns(told)
    if placed:
        wanted = wanted.where(_beyond(ordering, bindparam("key", "", key.type), bindparam("last", ""), backwards))
    order = (key.desc(), Asset.id.desc()) if backwards else (key, Asset.id)
    return Prepared(wanted.order_by(*order).limit(bindparam("most", 1)), is_large=True)


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
    return as_seen(session, [tile(row) for row in rows])


def in_order(session: Session, ids: Sequence[str]) -> list[Tile]:
    """Tiles of shown assets from whichever albums, in the order of their ids."""
    columns: Select[*tuple[Any, ...]] = select(*COLUMNS)
    rows = session.execute(columns.where(Asset.id.in_(ids), Asset.generation > 0, visible()))
    found = {each.id: each for each in as_seen(session, [tile(row) for row in rows])}
    return [found[asset_id] for asset_id in ids if asset_id in found]


def tile_of(session: Session, asset: Asset, viewer: Viewer | None = None) -> Tile:
    """As `viewer` gets it, by default whoever asks."""
    return with_pictures(session, [tiles.tile_of(asset)], viewer)[0]


def tiles_of(session: Session, assets: Iterable[Asset]) -> list[Tile]:
    """Tiles of loaded assets, their pictures in one statement."""
    return with_pictures(session, [tiles.tile_of(asset) for asset in assets])


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


def _around(row: Sequence[Any]) -> Around:
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
    columns: Select[*tuple[Any, ...]] = select(*COLUMNS)
    return columns.where(Asset.tenant_id == tenant_id, Asset.album_id == album_id, visible())


def _beyond(ordering: Ordering, key: Operand, last_id: Operand, backwards: bool) -> ColumnElement[bool]:
    """Strictly past a place: a row-value comparison, which both databases answer from the ordering's index."""
    here, there = tuple_(key, last_id), tuple_(sort_key(ordering), Asset.id)
    return there < here if backwards else there > here
