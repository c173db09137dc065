"""Animated GIF and WebP to one animated WebP of bounded size."""

from pathlib import Path

from processor.steps.photo_decode import from_array
from processor.steps.photo_header import Header, loader_of
from processor.steps.photo_vips import pyvips
from processor.steps.watermark import layer
from processor.task import Mark

MAX_WIDTH = 640
MAX_OUTPUT = 60_000_000
"""Pixels over all frames: about half a minute of encoding at the slowest."""


def animation_size(header: Header) -> tuple[int, int]:
    """Width and height of the animation: never upscaled, within `MAX_WIDTH` and `MAX_OUTPUT`."""
    scale = min(1.0, MAX_WIDTH / header.width)
    area = header.width * header.height * header.frames * scale * scale
    if area > MAX_OUTPUT:
        scale *= (MAX_OUTPUT / area) ** 0.5
    return max(1, round(header.width * scale)), max(1, round(header.height * scale))


def animate(header: Header, into: Path, mark: Mark | None = None) -> tuple[int, int]:
    """Write the animated WebP with the original's delays and loops, and the watermark if one is given; its width and
    height."""
    width, height = animation_size(header)
    frames = pyvips.Operation.call(
        loader_of(header.content_type), str(header.path), n=-1, access="sequential", fail_on="truncated"
    )
    frames = frames.thumbnail_image(width, height=height, size="force")
    if mark is not None:  # Frames stand below each other, so marks do too.
        marks = from_array(layer(width, height, mark)).replicate(1, frames.height // height)
        frames = frames.colourspace("srgb").composite2(marks, "over").cast("uchar")
    frames.webpsave(str(into), Q=70, effort=2, keep="none")
    return width, height
