"""What a page shows of an asset, with the pictures that its viewer may see: plain ones, or those with the watermark."""

from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from flask import g
from sqlalchemy import String, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from tenants.catalog import Album, Asset, AssetState, Kind, Rendition
from tenants.names import MARKED, is_marked, marked_name
from tenants.sharing import Viewer, sees_marked

PLAYLISTS = tuple(f"{each}hls/{name}.m3u8" for each in ("", MARKED) for name in ("master", "first"))
_FIELD, _END = ",", ";"
"""Between the facts of a rendition and between renditions; no name or media type of one has them."""


_by_width = attrgetter("width")

_made = Rendition.__table__.c
_of = Asset.__table__.c
RENDITIONS = (
    select(
        func.aggregate_strings(
            _made.name
            + _FIELD
            + _made.content_type
            + _FIELD
            + func.coalesce(cast(_made.width, String), "")
            + _FIELD
            + func.coalesce(cast(_made.height, String), ""),
            _END,
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


class Picture(NamedTuple):
    """One still of a generation, in pixels."""

    name: str
    content_type: str
    width: int
    height: int


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
    taken_at: datetime
    taken_offset: int | None
    has_capture_time: bool
    thumbhash: str | None
    dominant: str | None
    generation: int
    progress: int
    renditions: str = ""
    """As `RENDITIONS` reads them: the plain ones and those with the watermark, whoever looks."""
    marked: bool = False
    """Whether the viewer gets those with the watermark: then `stills` and `extras` are what there is with it."""

    @property
    def stills(self) -> tuple[Picture, ...]:
        """Narrowest first."""
        return _parsed(self.renditions, self.marked)[0]

    @property
    def extras(self) -> frozenset[str]:
        """Names of other renditions that pages link to, such as `video.mp4` or `hls/master.m3u8`."""
        return _parsed(self.renditions, self.marked)[1]

    def stored_name(self, name: str) -> str:
        """What one of `stills` or `extras` is called in its generation."""
        return marked_name(name) if self.marked else name

    @property
    def is_video(self) -> bool:
        return self.kind is Kind.VIDEO

    @property
    def shown(self) -> bool:
        return self.generation > 0 and bool(self.stills)

    @property
    def aspect(self) -> float:
        """Width over height; 3:2 while it is not known."""
        return self.width / self.height if self.width and self.height else 1.5


@lru_cache(maxsize=4096)
def _parsed(renditions: str, marked: bool) -> tuple[tuple[Picture, ...], frozenset[str]]:
    """Stills and extras, of those with the watermark or those without only the ones that the viewer may see, even where
    there are none yet."""
    stills, extras = [], set()
    for rendition in renditions.split(_END) if renditions else ():
        stored, content_type, width, height = rendition.split(_FIELD)
        if is_marked(stored) is not marked:
            continue
        name = stored.removeprefix(MARKED)
        if name.startswith("w") and width and height:
            stills.append(Picture(name, content_type, int(width), int(height)))
        else:
            extras.add(name)
    return tuple(sorted(stills, key=_by_width)), frozenset(extras)


def with_pictures(session: Session, tiles: list[Tile], viewer: Viewer | None = None) -> list[Tile]:
    """The tiles with the renditions of their published generations."""
    ids = [tile.id for tile in tiles if tile.generation > 0]
    if not ids:
        return tiles
    found = {row[0]: row[1] for row in session.execute(select(Asset.id, RENDITIONS).where(Asset.id.in_(ids)))}
    return as_seen(session, [tile._replace(renditions=found.get(tile.id) or "") for tile in tiles], viewer)


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
    return [tile._replace(marked=found[tile.album_id]) for tile in tiles]
