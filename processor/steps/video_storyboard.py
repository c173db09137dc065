"""The storyboard: small pictures for the seek bar, in one sprite with a WebVTT index.

Made from the lowest rung, decoding its keyframes only, so it costs next to nothing.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import ffmpeg

from processor.ffmpeg import Tools
from processor.sandbox import Limits
from processor.steps.video_ladder import KEYFRAME_SECONDS, Rung

MOST_TILES = 100
COLUMNS = 10
TILE_SIDE = 160


@dataclass(frozen=True)
class Storyboard:
    """`width` and `height` are one tile's; a tile stands for `every` seconds."""

    every: int
    tiles: int
    width: int
    height: int

    @property
    def sheet(self) -> tuple[int, int]:
        """Columns and rows."""
        return min(COLUMNS, self.tiles), math.ceil(self.tiles / COLUMNS)


def plan(rung: Rung, duration: float) -> Storyboard:
    """A tile for every keyframe of a short video, and never more than `MOST_TILES`."""
    keyframes = math.ceil(duration / KEYFRAME_SECONDS)
    step = math.ceil(keyframes / MOST_TILES)
    scale = min(1.0, TILE_SIDE / max(rung.width, rung.height))
    return Storyboard(
        every=step * KEYFRAME_SECONDS,
        tiles=math.ceil(keyframes / step),
        width=max(2, round(rung.width * scale)),
        height=max(2, round(rung.height * scale)),
    )


def draw(board: Storyboard, rung_file: Path, tools: Tools, folder: Path) -> Path:
    """The sprite `storyboard.jpg`."""
    keyframes = tools.source(rung_file, "mov", skip_frame="nokey")["v:0"]
    columns, rows = board.sheet
    tiles = (
        keyframes.filter("select", f"not(mod(n,{board.every // KEYFRAME_SECONDS}))")
        .filter("scale", board.width, board.height)
        .filter("tile", f"{columns}x{rows}")
    )
    sprite = folder / "storyboard.jpg"
    output = ffmpeg.output(
        tiles, sprite.name, format="image2", vframes=1, update=1, vsync="passthrough", **{"q:v": 5}, pix_fmt="yuvj420p"
    )
    tools.run(output, read=rung_file, write=folder, limits=Limits(cpu=300, wall=600))
    return sprite


def index(board: Storyboard, duration: float) -> str:
    """WebVTT whose cues are media fragments of the sprite (`#xywh=`, W3C Media Fragments 4.2.2)."""
    cues = ["WEBVTT"]
    columns, _ = board.sheet
    for tile in range(board.tiles):
        row, column = divmod(tile, columns)
        start, end = tile * board.every, min((tile + 1) * board.every, duration)
        area = f"{column * board.width},{row * board.height},{board.width},{board.height}"
        cues.append(f"{_timestamp(start)} --> {_timestamp(end)}\nstoryboard.jpg#xywh={area}")
    return "\n\n".join(cues) + "\n"


def _timestamp(seconds: float) -> str:
    millis = round(seconds * 1000)
    return f"{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02}.{millis % 1000:03}"
