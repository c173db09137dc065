"""Pictures of an asset as HTML: `<picture>`, `srcset`, addresses, and what is said instead."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from flask_babel import gettext as _

from tenants.registry import Layout
from webapp import delivery
from webapp.language import current
from webapp.site.renditions import Frame, Picture, Renditions
from webapp.site.tiles import Tile

NARROWEST_ASPECT, WIDEST_ASPECT = 0.5, 3.0
"""Tiles of anything beyond are cropped in the grid: a panorama would leave a row one finger high."""

FORMATS = ("image/avif", "image/webp")
"""Beside JPEG, best first."""


class Shown(NamedTuple):
    """A tile with addresses that open for whoever holds the page."""

    tile: Tile
    base: str
    """Ends in a slash; the generation's renditions are below it. Empty where there is nothing to see yet."""

    @property
    def large(self) -> Picture | None:
        return jpegs[-1] if (jpegs := self.tile.renditions.jpegs) else None

    @property
    def jpegs(self) -> str:
        """A `srcset`."""
        return self.base + self.base.join(_srcset(self.tile.renditions.jpegs))

    @property
    def grid_aspect(self) -> float:
        return aspect_in_grid(self.tile.width, self.tile.height)

    @property
    def hls(self) -> str | None:
        return self._file("hls")

    @property
    def mp4(self) -> str | None:
        return self._file("mp4")

    @property
    def animated(self) -> str | None:
        return self._file("animated")

    @property
    def storyboard(self) -> str | None:
        return self._file("storyboard")

    def _file(self, what: str) -> str | None:
        name = self.tile.renditions.beside.get(what)
        return self.base + name if name else None

    @property
    def clock(self) -> str:
        return clock(self.tile)

    @property
    def label(self) -> str:
        return label(self.tile)


def show(tile: Tile) -> Shown:
    base = delivery.base(tile.album_id, tile.id, tile.generation, marked=tile.marked) if tile.shown else ""
    return Shown(tile, base)


def aspect_in_grid(width: int | None, height: int | None) -> float:
    aspect = width / height if width and height else 1.5
    return round(min(max(aspect, NARROWEST_ASPECT), WIDEST_ASPECT), 4)


def clock(tile: Tile) -> str:
    """A video's duration as people write it: 0:07, 12:30, 1:02:03."""
    seconds = round(tile.duration or 0)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"


# --- <picture> --------------------------------------------------------------------------------------------------------


def frame(renditions: Renditions, sizes: str, eager: bool, first: bool) -> Frame:
    """Made once for many tiles: most photos of an album are of a few shapes, and those of one have the same renditions.
    `sizes` is CSS of ours; the `first` one is fetched before all else."""
    key = sizes, eager, first
    return renditions.frames.get(key) or renditions.frames.setdefault(key, _framed(renditions, *key))


def _framed(renditions: Renditions, sizes: str, eager: bool, first: bool) -> Frame:
    jpegs = renditions.jpegs
    small = next((still for still in jpegs if still.width >= 640), jpegs[-1])
    pieces = ["<picture>\n"]

    def add(start: str, names: list[str], end: str) -> None:
        pieces[-1] += start
        pieces.extend(names)
        pieces[-1] += end

    for kind in FORMATS:
        if stills := [still for still in renditions.stills if still.content_type == kind]:
            add(f'<source type="{kind}" srcset="', _srcset(stills), f'" sizes="{sizes}">\n')
    add('<img src="', [f'{small.name}" srcset="', *_srcset(jpegs)], f'" sizes="{sizes}"')
    pieces[-1] += f' width="{jpegs[-1].width}" height="{jpegs[-1].height}" alt="'
    when = ' fetchpriority="high"' if first else "" if eager else ' loading="lazy"'
    large = f'{jpegs[-1].name}" data-width="{jpegs[-1].width}" data-height="{jpegs[-1].height}"'
    return Frame(tuple(pieces), f'" decoding="async"{when}>\n</picture>', large)


def _srcset(stills: Sequence[Picture]) -> list[str]:
    """Pieces of one that each come after the address of the generation."""
    return [f"{still.name} {still.width}w{', ' if still is not stills[-1] else ''}" for still in stills]


# --- Beside it --------------------------------------------------------------------------------------------------------


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
    wide, medium, narrow = round(shape * 330), round(shape * 260), round(shape * 230)
    return f"(min-width: 1100px) {wide}px, (min-width: 600px) {medium}px, min(92vw, {narrow}px)"


@lru_cache(maxsize=4096)
def shape_in(layout: Layout, width: int | None, height: int | None) -> tuple[float, str, str]:
    """Of a tile in a grid: its aspect ratio, its sizes, and those where it is fetched when it comes into sight."""
    shape = aspect_in_grid(width, height)
    sizes = sizes_in(layout, shape)
    return shape, sizes, f"auto, {sizes}"


def label(tile: Tile) -> str:
    """What a screen reader says: the alternative text, or the caption, else the kind with the file's name."""
    return names(str(current()))(tile)


@lru_cache(maxsize=64)
def names(_locale: str) -> Callable[[Tile], str]:
    """`label` for many tiles. `_locale` is the request's (`language.current`): its words are looked up once a process,
    since two look-ups a tile cost more than the rest of it."""
    photo, video = (str(_("Photo %(name)s")), str(_("Video %(name)s")))

    def said(tile: Tile) -> str:
        if tile.alt or tile.caption:
            return tile.alt or tile.caption
        name = tile.filename.rpartition(".")[0] or tile.filename
        return (video if tile.is_video else photo) % {"name": name}

    return said
