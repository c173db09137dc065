"""Where a watermark lies on a picture: the same for the preview in the dashboard and for renditions of any size."""

import enum
from dataclasses import dataclass

_MARGIN = 0.04
"""Of the picture's shorter side, between a mark in the corner and the edges."""
_GAP = 0.5
"""Of a mark's width and height, between tiles."""


class Position(enum.Enum):
    """CORNER is the lower one on the right. TILED covers the picture, so that nobody cuts the mark off."""

    CORNER = "corner"
    CENTRE = "centre"
    TILED = "tiled"


@dataclass(frozen=True)
class Laid:
    """The mark's size in pixels, and the upper left corner of each of its places; those of tiles may lie outside."""

    width: int
    height: int
    spots: tuple[tuple[int, int], ...]


def laid(picture: tuple[int, int], mark: tuple[int, int], position: Position, size: int) -> Laid:
    """`picture` and `mark` are width and height. The mark is scaled so that its longer side is `size` percent of the
    picture's shorter one, and never less than a pixel."""
    short = min(picture)
    scale = short * size / 100 / max(mark)
    width, height = (max(1, round(side * scale)) for side in mark)
    if position is Position.CENTRE:
        return Laid(width, height, (((picture[0] - width) // 2, (picture[1] - height) // 2),))
    if position is Position.CORNER:
        edge = round(short * _MARGIN)
        return Laid(width, height, ((max(0, picture[0] - width - edge), max(0, picture[1] - height - edge)),))
    return Laid(width, height, _tiles(picture, width, height))


def _tiles(picture: tuple[int, int], width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Rows like bricks: every other one is shifted by half a step. The gap is never less than a pixel."""
    across = width + max(1, round(width * _GAP))
    down = height + max(1, round(max(height, width / 4) * _GAP))
    spots = []
    for row, y in enumerate(range(-height // 2, picture[1], down)):
        start = -(across // 2) * (row % 2)
        spots += [(x, y) for x in range(start, picture[0], across)]
    return tuple(spots)
