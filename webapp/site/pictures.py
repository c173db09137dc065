"""Addresses and `srcset`s of an asset's renditions, as templates want them."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from flask_babel import gettext as _

from tenants.registry import Layout
from webapp import delivery
from webapp.language import current
from webapp.site.tiles import Picture, Tile

NARROWEST_ASPECT, WIDEST_ASPECT = 0.5, 3.0
"""Tiles of anything beyond are cropped in the grid: a panorama would leave a row one finger high."""

Sources = tuple[str, str]
"""A media type and its `srcset`."""


class Shown(NamedTuple):
    """A tile with addresses. `sources` are the formats beside JPEG, best first."""

    tile: Tile
    base: str
    """Ends in a slash; the generation's renditions are below it."""
    sources: list[Sources]
    jpegs: str
    small: Picture | None
    large: Picture | None

    @property
    def grid_aspect(self) -> float:
        return round(min(max(self.tile.aspect, NARROWEST_ASPECT), WIDEST_ASPECT), 4)

    @property
    def hls(self) -> str | None:
        """The best playlist that there is so far."""
        for name in ("hls/master.m3u8", "hls/first.m3u8"):
            if name in self.tile.extras:
                return self.base + name
        return None

    @property
    def mp4(self) -> str | None:
        return self.base + "video.mp4" if "video.mp4" in self.tile.extras else None

    @property
    def animated(self) -> str | None:
        return self.base + "animated.webp" if "animated.webp" in self.tile.extras else None

    @property
    def storyboard(self) -> str | None:
        return self.base + "storyboard.vtt" if "storyboard.vtt" in self.tile.extras else None

    @property
    def clock(self) -> str:
        """A video's duration as people write it: 0:07, 12:30, 1:02:03."""
        seconds = round(self.tile.duration or 0)
        hours, minutes = divmod(seconds // 60, 60)
        return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"

    @property
    def label(self) -> str:
        return label(self.tile)


@lru_cache(maxsize=4096)
def sizes_in(layout: Layout, shape: float) -> str:
    """How wide a picture of that shape will be, roughly. It decides which rendition is fetched, never where anything
    stands."""
    if layout is Layout.STORY:
        return f"min(96vw, 1152px, {round(shape * 86)}vh)"
    if layout is Layout.MASONRY:
        return "(min-width: 1100px) 25vw, (min-width: 640px) 33vw, 50vw"
    if layout is Layout.GRID:
        wider = max(1.0, shape)  # A square cut out of a wide picture is as high as the picture.
        return f"(min-width: 1100px) {round(wider * 280)}px, {round(wider * 33)}vw"
    # Rows stretch their tiles by about a quarter.
    wide, medium, narrow = (round(shape * height) for height in (330, 260, 230))
    return f"(min-width: 1100px) {wide}px, (min-width: 600px) {medium}px, min(92vw, {narrow}px)"


def label(tile: Tile) -> str:
    """What a screen reader says: the alternative text, or the caption, else the kind with the file's name."""
    return names(str(current()))(tile)


@lru_cache(maxsize=64)
def names(_locale: str) -> Callable[[Tile], str]:
    """`label` for many tiles. `_locale` is the request's (`language.current`): its words are looked up once a process,
    since two look-ups a tile cost more than the rest of it."""
    photo, video = (_("Photo %(name)s"), _("Video %(name)s"))

    def said(tile: Tile) -> str:
        if tile.alt or tile.caption:
            return tile.alt or tile.caption
        name = tile.filename.rpartition(".")[0] or tile.filename
        return str((video if tile.is_video else photo) % {"name": name})

    return said


def show(tile: Tile) -> Shown:
    """The tile with addresses that open for whoever holds the page."""
    if not tile.shown:
        return Shown(tile=tile, base="", sources=[], jpegs="", small=None, large=None)
    base = delivery.base(tile.album_id, tile.id, tile.generation, marked=tile.marked)
    by_type: dict[str, list[Picture]] = {}
    for still in tile.stills:  # Narrowest first.
        by_type.setdefault(still.content_type, []).append(still)
    jpegs = by_type.pop("image/jpeg", [])
    return Shown(
        tile=tile,
        base=base,
        sources=[(kind, _srcset(base, by_type[kind])) for kind in ("image/avif", "image/webp") if kind in by_type],
        jpegs=_srcset(base, jpegs),
        small=next((still for still in jpegs if still.width >= 640), jpegs[-1] if jpegs else None),
        large=jpegs[-1] if jpegs else None,
    )


def _srcset(base: str, stills: list[Picture]) -> str:
    return ", ".join([f"{base}{still.name} {still.width}w" for still in stills])
