"""What a page shows of an asset, with the pictures that its viewer may see: plain ones, or those with the watermark."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache, reduce
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache
from flask import g
from markupsafe import Markup
from sqlalchemy import ColumnElement, SQLColumnExpression, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from tenants.catalog import Album, Asset, AssetState, Kind, Rendition
from tenants.names import MARKED, generation_path, marked_name
from tenants.prepared import Rows, moment
from tenants.sharing import Viewer, sees_marked
from webapp.site.renditions import END, FIELD, HEIGHTS, Picture, Renditions

PLAYLISTS = tuple(f"{each}hls/{name}.m3u8" for each in ("", MARKED) for name in ("master", "first"))
_made = Rendition.__table__.c
_of = Asset.__table__.c


def text_of(column: SQLColumnExpression[Any]) -> ColumnElement[str]:
    """Nothing where there is NULL."""
    return func.coalesce(cast(column, String), "")


def told(columns: Iterable[ColumnElement[Any]]) -> ColumnElement[str]:
    """The columns as one string."""
    return reduce(lambda whole, text: whole + FIELD + text, map(text_of, columns))


RENDITIONS = (
    select(
        # Of the same rows, so in the same order.
        func.aggregate_strings(told((_made.name, _made.content_type, _made.width)), END)
        + HEIGHTS
        + func.aggregate_strings(text_of(_made.height), FIELD)
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
"""What there is of an asset's published generation, for `Renditions`: one string, where a page of 200 photos would have
1,400 rows."""


class Own(NamedTuple):
    """`OWN` of one asset, as text."""

    thumbhash: str
    dominant: str
    taken_at: str
    duration: str
    progress: str


OWN = tuple(_of[name] for name in Own._fields)
"""What a photo has for itself, in columns that no person has written a word in. A page reads them as one string: a
database driver takes longer to hand over five values than one, and this is done two hundred times a page."""

FORM = (_of.album_id, _of.kind, _of.state, _of.width, _of.height, _of.generation)
"""What many photos of an album have in common."""

COLUMNS = (_of.id, _of.filename, _of.caption, _of.alt, told(OWN), told(FORM) + END + func.coalesce(RENDITIONS, ""))
"""What `tile` makes a tile of."""


_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in AssetState}


class Form:
    """`FORM` and the renditions that a viewer gets: one object for all assets that have the same."""

    __slots__ = (
        *("album_id", "kind", "state", "width", "height", "generation"),
        *("facts", "below", "renditions", "shown", "more", "looks"),
    )

    def __init__(self, text: str, marked: bool) -> None:
        self.facts, _, made = text.partition(END)
        self.album_id, kind, state, width, height, generation = self.facts.split(FIELD)
        self.kind, self.state, self.generation = _KINDS[kind], _STATES[state], int(generation)
        self.width, self.height = int(width) if width else None, int(height) if height else None
        self.renditions = Renditions(made, marked)
        self.below = generation_path("", self.generation, marked=marked)
        """Where the renditions are, after the asset's id."""
        self.shown = self.generation > 0 and bool(self.renditions.widths.stills)
        self.more = self.kind is Kind.VIDEO or bool(self.renditions.beside)
        """Whether there is more to see than a still."""
        self.looks: dict[str, Any] = {}
        """The HTML that pages have made of it (`webapp/site/grid.py`)."""


MOST_FORMS = 4096
form_of = lru_cache(MOST_FORMS)(Form)


class Tile(NamedTuple):
    """What a page shows of an asset. Without a generation there is nothing to see yet."""

    id: str
    filename: str
    caption: str
    alt: str
    own: str
    """`OWN` as it was read."""
    form: Form

    @property
    def album_id(self) -> str:
        return self.form.album_id

    @property
    def state(self) -> AssetState:
        return self.form.state

    @property
    def width(self) -> int | None:
        return self.form.width

    @property
    def height(self) -> int | None:
        return self.form.height

    @property
    def generation(self) -> int:
        return self.form.generation

    @property
    def _own(self) -> Own:
        return Own(*self.own.split(FIELD))

    @property
    def dominant(self) -> str | None:
        return self._own.dominant or None

    @property
    def taken_at(self) -> datetime:
        return moment(self._own.taken_at)

    @property
    def duration(self) -> float | None:
        found = self._own.duration
        return float(found) if found else None

    @property
    def progress(self) -> int:
        return int(self._own.progress)

    @property
    def renditions(self) -> Renditions:
        return self.form.renditions

    @property
    def marked(self) -> bool:
        """Whether the viewer gets pictures with the watermark: then `stills` and `extras` are what there is with it."""
        return self.form.renditions.marked

    @property
    def stills(self) -> tuple[Picture, ...]:
        return self.form.renditions.stills

    @property
    def extras(self) -> frozenset[str]:
        return self.form.renditions.extras

    def stored_name(self, name: str) -> str:
        """What one of `stills` or `extras` is called in its generation."""
        return marked_name(name) if self.marked else name

    @property
    def is_video(self) -> bool:
        return self.form.kind is Kind.VIDEO

    @property
    def shown(self) -> bool:
        return self.form.shown

    @property
    def aspect(self) -> float:
        """Width over height; 3:2 while it is not known."""
        return self.width / self.height if self.width and self.height else 1.5


def tile(row: Sequence[Any], marked: bool = False) -> Tile:
    """Of a row that begins with `COLUMNS`."""
    asset_id, filename, caption, alt, own, form, *_ = row
    return Tile(asset_id, filename, caption, alt, own, form_of(form, marked))


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
        tiles = Tiles([tile(row, marked) for row in rows])
        known = Read(rows, tiles, not all(one.form.shown for one in tiles))
        with _lock:
            _read[key] = known
    return known


def tile_of(asset: Asset) -> Tile:
    """Of a loaded asset, without its renditions (`with_pictures`)."""
    own = asset.thumbhash, asset.dominant, asset.taken_at.isoformat(), asset.duration, asset.progress
    form = asset.album_id, asset.kind.value, asset.state.value, asset.width, asset.height, asset.generation
    text, common = (FIELD.join("" if each is None else str(each) for each in facts) for facts in (own, form))
    return Tile(asset.id, asset.filename, asset.caption, asset.alt, text, form_of(common + END, False))


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
    return tile._replace(form=form_of(tile.form.facts + END + made, marked))
