"""What there is to show of an asset's generation: its stills, and what else pages link to."""

from collections.abc import Collection
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from tenants.names import MARKED, is_marked

FIELD, END = ",", ";"
"""Between the facts of a rendition and between renditions; no name or media type of one has them."""

_by_width = attrgetter("width")


class Picture(NamedTuple):
    """One still of a generation, in pixels."""

    name: str
    content_type: str
    width: int
    height: int


class Frame(NamedTuple):
    """`<picture>` of whatever has the same renditions (`pictures.frame`)."""

    before: tuple[str, ...]
    """What comes before the alternative text; between each two of these is the address of the generation."""
    after: str
    large: str
    """Name and size of the widest JPEG, as the lightbox reads them."""


class Renditions:
    """Those of one generation that a viewer gets: the plain ones, or those with the watermark, even where there are
    none yet. One object for all generations that have the same."""

    __slots__ = ("beside", "extras", "frames", "jpegs", "marked", "stills", "text")

    def __init__(self, text: str, marked: bool) -> None:
        self.text, self.marked = text, marked
        """As `tiles.RENDITIONS` reads them: plain and marked ones, whoever looks."""
        stills, extras = [], set()
        for rendition in text.split(END) if text else ():
            stored, content_type, width, height = rendition.split(FIELD)
            if is_marked(stored) is not marked:
                continue
            name = stored.removeprefix(MARKED)
            if name.startswith("w") and width and height:
                stills.append(Picture(name, content_type, int(width), int(height)))
            else:
                extras.add(name)
        self.stills = tuple(sorted(stills, key=_by_width))
        """Narrowest first."""
        self.jpegs = tuple(still for still in self.stills if still.content_type == "image/jpeg")
        """Of each width there is one."""
        self.extras = frozenset(extras)
        """Names of others that pages link to, such as `video.mp4` or `hls/master.m3u8`."""
        self.beside = _beside(self.extras)
        self.frames: dict[tuple[str, bool, bool], Frame] = {}
        """The HTML that pages have made of them (`webapp/site/pictures.py`)."""


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


renditions_of = lru_cache(maxsize=4096)(Renditions)
