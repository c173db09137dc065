"""What a page shows of an asset, with the pictures that its viewer may see: plain ones, or those with the watermark."""

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from functools import lru_cache, reduce
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache
from flask import g
from markupsafe import Markup
from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from tenants.catalog import Album, Asset, AssetState, Kind, Rendition
from tenants.names import MARKED, marked_name
from tenants.prepared import Rows, moment
from tenants.sharing import Viewer, sees_marked
from webapp.site.renditions import END, FIELD, Picture, Renditions, renditions_of

PLAYLISTS = tuple(f"{each}hls/{name}.m3u8" for each in ("", MARKED) for name in ("master", "first"))
_made = Rendition.__table__.c
_of = Asset.__table__.c


def told(columns: Iterable[ColumnElement[Any]]) -> ColumnElement[str]:
    """The columns as one string; nothing where there is NULL."""
    texts = [func.coalesce(cast(column, String), "") for column in columns]
    return reduce(lambda whole, text: whole + FIELD + text, texts)


RENDITIONS = (
    select(
        func.aggregate_strings(
            told((_made.name, _made.content_type, _made.width, _made.height)),
            END,
        )
    )
    .where(
        _made.tenant_id == _of.tenant_id,
        _made.asset_id == _of.id,
        _made.generation == _of.generation,
        # Segments of a video's rungs are many, and only its playlists name them.
        or_(
            and_(_made.name.not_like("hls/%"), _made.name.not_like(f"{MARKED}hls/%")),
            _made.name.in_(PLAYLISTS),
        ),
    )
    .correlate(Asset.__table__)
    .scalar_subquery()
)
"""What there is of an asset's published generation, for `Tile.renditions`: one string, where a page of 200 photos would
have 1,400 rows."""


FACTS = (
    *(_of.album_id, _of.kind, _of.state, _of.width, _of.height, _of.duration, _of.taken_at, _of.thumbhash),
    *(_of.dominant, _of.generation, _of.progress),
)
"""Columns that no person has written a word in. A page reads them as one string: a database driver takes longer to hand
over ten values than one, and this is done two hundred times a page."""


COLUMNS = (_of.id, _of.filename, _of.caption, _of.alt, told(FACTS).label("facts"), RENDITIONS.label("renditions"))
"""What `tile` makes a tile of."""


_NONE = renditions_of("", False)


class Tile(NamedTuple):
    """What a page shows of an asset. Without a generation there is nothing to see yet."""

    id: str
    album_id: str
    kind: Kind
    state: AssetState
    filename: str
    caption: str
    alt: str
    width: int | None
    height: int | None
    duration: float | None
    taken: datetime | str
    """As it was read."""
    thumbhash: str | None
    dominant: str | None
    generation: int
    progress: int
    renditions: Renditions
    drawn: dict[object, str]
    """The HTML that pages have made of it, by what it depends on beside the tile (`webapp/site/grid.py`)."""

    @property
    def taken_at(self) -> datetime:
        return moment(self.taken)

    @property
    def marked(self) -> bool:
        """Whether the viewer gets pictures with the watermark: then `stills` and `extras` are what there is with it."""
        return self.renditions.marked

    @property
    def stills(self) -> tuple[Picture, ...]:
        return self.renditions.stills

    @property
    def extras(self) -> frozenset[str]:
        return self.renditions.extras

    def stored_name(self, name: str) -> str:
        """What one of `stills` or `extras` is called in its generation."""
        return marked_name(name) if self.marked else name

    @property
    def is_video(self) -> bool:
        return self.kind is Kind.VIDEO

    @property
    def shown(self) -> bool:
        return self.generation > 0 and bool(self.renditions.stills)

    @property
    def aspect(self) -> float:
        """Width over height; 3:2 while it is not known."""
        return self.width / self.height if self.width and self.height else 1.5


_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in AssetState}


MOST_REMEMBERED = 8192
"""Tiles that a process remembers with their HTML, some 2.5 kB each: after one photo of 200 has changed, a page is made
of the 199 as they were."""


@lru_cache(maxsize=MOST_REMEMBERED)
def tile(row: tuple[Any, ...], marked: bool = False) -> Tile:
    """Of a row that begins with `COLUMNS`."""
    asset_id, filename, caption, alt, facts, made, *_ = row
    album_id, kind, state, width, height, duration, *more = facts.split(FIELD)
    taken, thumbhash, dominant, generation, progress = more
    return Tile(
        asset_id,
        album_id,
        _KINDS[kind],
        _STATES[state],
        filename,
        caption,
        alt,
        int(width) if width else None,
        int(height) if height else None,
        float(duration) if duration else None,
        taken,
        thumbhash or None,
        dominant or None,
        int(generation),
        int(progress),
        renditions_of(made or "", marked),
        {},
    )


class Tiles(tuple[Tile, ...]):
    """Those of one page."""

    def once(self, what: str, key: Hashable, draw: Callable[[], Markup]) -> Markup:
        """What `draw` makes of all of them together. `key` is what that depends on beside them; of each kind only the
        last one is remembered, since those of the day before or of another language are large."""
        drawn: dict[str, tuple[Hashable, Markup]] = self.__dict__
        found = drawn.get(what)
        if found is None or found[0] != key:
            found = drawn[what] = key, draw()
        return found[1]


class Read(NamedTuple):
    """Rows of a page, their tiles, and whether there is nothing to see yet of some."""

    rows: Rows
    tiles: Tiles
    waiting: bool


MOST_READ = 32
_read: LRUCache[tuple[str, str, int, bool], Read] = LRUCache(MOST_READ)
_lock = Lock()


def read_of(rows: Rows, marked: bool) -> Read:
    """Most changes of a tenant's site leave the photos of a page as they were, and to compare all of its rows with
    those of last time takes a tenth of finding each one's tile."""
    key = (rows[0][0], rows[-1][0], len(rows), marked) if rows else ("", "", 0, marked)
    with _lock:
        known = _read.get(key)
    if known is None or known.rows != rows:
        tiles = Tiles([tile(tuple(row), marked) for row in rows])
        known = Read(rows, tiles, not all(one.shown for one in tiles))
        with _lock:
            _read[key] = known
    return known


_PLAIN = [name for name in Tile._fields if name not in ("taken", "renditions", "drawn")]
"""What is called the same in an asset's row."""


def tile_of(asset: Asset) -> Tile:
    """Of a loaded asset, without its renditions (`with_pictures`)."""
    plain = {name: getattr(asset, name) for name in _PLAIN}
    return Tile(**plain, taken=asset.taken_at, renditions=_NONE, drawn={})


def with_pictures(session: Session, tiles: list[Tile], viewer: Viewer | None = None) -> list[Tile]:
    """The tiles with the renditions of their published generations."""
    ids = [tile.id for tile in tiles if tile.generation > 0]
    if not ids:
        return tiles
    found = {row[0]: row[1] for row in session.execute(select(Asset.id, RENDITIONS).where(Asset.id.in_(ids)))}
    with_them = [_with(each, found.get(each.id) or "", False) for each in tiles]
    return as_seen(session, with_them, viewer)


def as_seen(session: Session, tiles: list[Tile], viewer: Viewer | None = None) -> list[Tile]:
    """The tiles as `viewer` gets them, by default whoever asks: with the watermark or without. Their albums are loaded:
    whoever shows tiles has them."""
    viewer = viewer or g.viewer
    found: dict[str, bool] = {}
    for tile in tiles:
        if tile.album_id not in found:
            album = session.get_one(Album, (viewer.tenant_id, tile.album_id))
            found[tile.album_id] = sees_marked(viewer, album)
    if not any(found.values()):
        return tiles
    return [_with(each, each.renditions.text, found[each.album_id]) for each in tiles]


def _with(tile: Tile, made: str, marked: bool) -> Tile:
    return tile._replace(renditions=renditions_of(made, marked), drawn={})
