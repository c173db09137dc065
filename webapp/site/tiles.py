"""What a page shows of an asset, with the pictures that its viewer may see: plain ones, or those with the watermark."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from flask import g
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from tenants.catalog import Album, Asset, AssetState, Kind, Rendition
from tenants.names import MARKED, is_marked, marked_name
from tenants.sharing import Viewer, sees_marked

PLAYLISTS = tuple(f"{each}hls/{name}.m3u8" for each in ("", MARKED) for name in ("master", "first"))


_by_width = attrgetter("width")


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
    marked: bool = False
    """Whether the viewer gets those with the watermark: then `stills` and `extras` are what there is with it."""
    stills: tuple[Picture, ...] = ()
    extras: frozenset[str] = frozenset()
    """Names of other renditions that pages link to, such as `video.mp4` or `hls/master.m3u8`."""

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


def with_pictures(session: Session, tiles: list[Tile], viewer: Viewer | None = None) -> list[Tile]:
    """The tiles with the renditions of their published generations: of those with the watermark and those without only
    the ones that the viewer may see, even where there are none yet."""
    ids = [tile.id for tile in tiles if tile.generation > 0]
    if not ids:
        return tiles
    rows = session.execute(
        select(Rendition.asset_id, Rendition.name, Rendition.content_type, Rendition.width, Rendition.height)
        .join(
            Asset,
            and_(
                Asset.tenant_id == Rendition.tenant_id,
                Asset.id == Rendition.asset_id,
                Asset.generation == Rendition.generation,
            ),
        )
        .where(
            Asset.id.in_(ids),
            # Segments of a video's rungs are many, and only its playlists name them.
            or_(
                and_(Rendition.name.not_like("hls/%"), Rendition.name.not_like(f"{MARKED}hls/%")),
                Rendition.name.in_(PLAYLISTS),
            ),
        )
    )
    stills: dict[str, list[Picture]] = defaultdict(list)
    extras: dict[str, set[str]] = defaultdict(set)
    marked = _marked(session, tiles, viewer or g.viewer)
    for asset_id, stored, content_type, width, height in rows:
        if is_marked(stored) is not (asset_id in marked):
            continue
        name = stored.removeprefix(MARKED)
        if name.startswith("w") and width and height:
            stills[asset_id].append(Picture(name, content_type, width, height))
        else:
            extras[asset_id].add(name)
    return [
        tile._replace(
            marked=tile.id in marked,
            stills=tuple(sorted(stills.get(tile.id, ()), key=_by_width)),
            extras=frozenset(extras.get(tile.id, ())),
        )
        for tile in tiles
    ]


def _marked(session: Session, tiles: Iterable[Tile], viewer: Viewer) -> frozenset[str]:
    """Ids of those that the viewer sees with the watermark. Their albums are loaded: whoever shows tiles has them."""
    found: dict[str, bool] = {}
    for tile in tiles:
        if tile.album_id not in found:
            album = session.get_one(Album, (viewer.tenant_id, tile.album_id))
            found[tile.album_id] = sees_marked(viewer, album)
    return frozenset(tile.id for tile in tiles if found[tile.album_id])
