"""Pictures of an asset as HTML: `<picture>`, `srcset`, addresses, and what is said instead."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from flask_babel import gettext as _

from tenants.registry import Layout
from webapp import delivery
from webapp.language import current
from webapp.site.renditions import Picture, Renditions, Wide, Widths
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
        return _srcset(self.tile.renditions.widths.jpegs, self.base)

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


class Frame(NamedTuple):
    """`<picture>` of whatever has the same renditions."""

    large: str
    """Name and size of the widest JPEG, as the lightbox reads them."""
    before: Sequence[str]
    """What comes before the alternative text; between each two of these is the address of the generation."""
    after: str


def frame(renditions: Renditions, sizes: str, eager: bool, first: bool) -> Frame:
    """`sizes` is CSS of ours; the `first` one is fetched before all else."""
    widths = renditions.widths
    skeleton = widths.skeletons.get((eager, first)) or _skeleton(widths, eager, first)
    height = renditions.height(widths.jpegs[-1])
    large, before, after = skeleton
    return Frame(large % height, (before % {"sizes": sizes, "height": height}).split(_ADDRESS), after)


_ADDRESS = "\0"


def _skeleton(widths: Widths, eager: bool, first: bool) -> tuple[str, str, str]:
    """`Frame` for format strings, made once for many pictures: most photos have the same widths."""
    jpegs = widths.jpegs
    large, small = jpegs[-1], next((still for still in jpegs if still.width >= 640), jpegs[-1])
    by_kind = [(kind, [still for still in widths.stills if still.content_type == kind]) for kind in FORMATS]
    sources = [
        f'<source type="{kind}" srcset="{_srcset(stills, _ADDRESS)}" sizes="%(sizes)s">\n'
        for kind, stills in by_kind
        if stills
    ]
    img = (
        f'<img src="{_ADDRESS}{small.name}" srcset="{_srcset(jpegs, _ADDRESS)}" sizes="%(sizes)s"'
        f' width="{large.width}" height="%(height)d" alt="'
    )
    when = ' fetchpriority="high"' if first else "" if eager else ' loading="lazy"'
    made = (
        f'{large.name}" data-width="{large.width}" data-height="%d"',
        "".join(["<picture>\n", *sources, img]),
        f'" decoding="async"{when}>\n</picture>',
    )
    return widths.skeletons.setdefault((eager, first), made)


def _srcset(stills: Sequence[Wide], base: str) -> str:
    return ", ".join(f"{base}{still.name} {still.width}w" for still in stills)


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


def label(tile: Tile) -> str:
    """What a screen reader says: the alternative text, or the caption, else the kind with the file's name."""
    return names(str(current())).of(tile)


class Names(NamedTuple):
    """`label` for many tiles, in one language: what comes before and after the names of files."""

    photo: tuple[str, str]
    video: tuple[str, str]

    def of(self, tile: Tile) -> str:
        if said := tile.alt or tile.caption:
            return said
        before, after = self.video if tile.is_video else self.photo
        return f"{before}{tile.filename.rpartition('.')[0] or tile.filename}{after}"


@lru_cache(maxsize=64)
def names(_locale: str) -> Names:
    """`_locale` is the request's (`language.current`): its words are looked up once a process, since two look-ups a
    tile cost more than the rest of it."""
    photo, video = (said % {"name": "\0"} for said in (_("Photo %(name)s"), _("Video %(name)s")))
    return Names(_around(photo), _around(video))


def _around(said: str) -> tuple[str, str]:
    before, _name, after = said.partition("\0")
    return before, after
