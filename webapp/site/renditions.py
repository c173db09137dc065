"""What there is to show of an asset's generation: its stills, and what else pages link to.

Photos of an album differ in height before all else: which renditions there are, and how wide, is the same for most.
So that is read once for all of them (`Widths`), and heights are looked at where somebody asks for one.
"""

from collections.abc import Collection, Iterable
from functools import cached_property, lru_cache
from typing import NamedTuple

from tenants.names import MARKED, is_marked

FIELD, END, HEIGHTS = ",", ";", "|"
"""Between the facts of a rendition, between renditions, and between those and their heights; no name or media type of
one has them."""


class Picture(NamedTuple):
    """One still of a generation, in pixels."""

    name: str
    content_type: str
    width: int
    height: int


class Wide(NamedTuple):
    """A still whose height is at `place` among those of its generation."""

    name: str
    content_type: str
    width: int
    place: int


class Widths:
    """What renditions a viewer gets, and how wide they are: the plain ones, or those with the watermark."""

    __slots__ = ("beside", "extras", "jpegs", "skeletons", "stills")

    def __init__(self, text: str, marked: bool) -> None:
        stills, extras = [], set()
        for place, rendition in enumerate(text.split(END) if text else ()):
            stored, content_type, width = rendition.split(FIELD)
            if is_marked(stored) is not marked:
                continue
            name = stored.removeprefix(MARKED)
            if name.startswith("w") and width:
                stills.append(Wide(name, content_type, int(width), place))
            else:
                extras.add(name)
        self.stills = sorted(stills, key=lambda still: still.width)
        self.jpegs = [still for still in self.stills if still.content_type == "image/jpeg"]
        self.extras = frozenset(extras)
        self.beside = _beside(self.extras)
        self.skeletons: dict[tuple[bool, bool], tuple[str, str, str]] = {}
        """The HTML that pages have made of them (`webapp/site/pictures.py`)."""


widths_of = lru_cache(maxsize=1024)(Widths)


class Renditions:
    """Those of one generation that a viewer gets, even where there are none yet. `text` is as `tiles.RENDITIONS` reads
    them: plain and marked ones, whoever looks."""

    def __init__(self, text: str, marked: bool) -> None:
        self.text, self.marked = text, marked
        named, _, heights = text.partition(HEIGHTS)
        self.widths = widths_of(named, marked)
        self._heights = heights.split(FIELD)

    @cached_property
    def stills(self) -> tuple[Picture, ...]:
        """Narrowest first."""
        return self._pictures(self.widths.stills)

    @cached_property
    def jpegs(self) -> tuple[Picture, ...]:
        """Of each width there is one."""
        return self._pictures(self.widths.jpegs)

    def _pictures(self, stills: Iterable[Wide]) -> tuple[Picture, ...]:
        return tuple(Picture(*still[:3], self.height(still)) for still in stills)

    @property
    def extras(self) -> frozenset[str]:
        """Names of others that pages link to, such as `video.mp4` or `hls/master.m3u8`."""
        return self.widths.extras

    @property
    def beside(self) -> dict[str, str]:
        return self.widths.beside

    def height(self, still: Wide) -> int:
        return int(self._heights[still.place] or 0)


_BESIDE = (
    ("hls", ("hls/master.m3u8", "hls/first.m3u8")),
    ("mp4", ("video.mp4",)),
    ("storyboard", ("storyboard.vtt",)),
    ("animated", ("animated.webp",)),
)


def _beside(extras: Collection[str]) -> dict[str, str]:
    """What there is beside stills, as the lightbox calls it. Of two playlists it is the best one so far."""
    if not extras:
        return {}
    found = {name: next((file for file in files if file in extras), "") for name, files in _BESIDE}
    return {name: file for name, file in found.items() if file}
