"""The tenant's watermark on pixels: a layer as large as the picture, laid over it by libvips."""

from pathlib import Path

import numpy as np

from processor.steps.photo_decode import from_array
from processor.steps.photo_encode import Rows
from processor.steps.photo_resize import resized
from processor.steps.photo_vips import pyvips
from processor.task import Mark
from tenants.mark_layout import laid

MAX_PIXELS = 64_000_000
"""Of a picture in full size: its layer is 256 MB."""


def marked(rows: Rows, mark: Mark) -> Rows:
    """A copy of the picture with the mark: RGB stays RGB, and RGBA is opaque where the mark is."""
    height, width, bands = rows.shape
    stamped = from_array(rows).composite2(from_array(layer(width, height, mark)), "over")
    return np.ascontiguousarray(stamped.cast("uchar").numpy()[:, :, :bands])


def write_whole(pixels: pyvips.Image, mark: Mark, into: Path) -> tuple[int, int]:
    """A JPEG of the RGB picture in its own size, or of `MAX_PIXELS` if it has more; its width and height."""
    scale = min(1.0, (MAX_PIXELS / (pixels.width * pixels.height)) ** 0.5)
    width, height = (max(1, int(side * scale)) for side in (pixels.width, pixels.height))
    stamped = resized(pixels, width, height).composite2(from_array(layer(width, height, mark)), "over")
    stamped[0:3].cast("uchar").jpegsave(str(into), Q=90, keep="none", optimize_coding=True)
    return width, height


def layer(width: int, height: int, mark: Mark) -> Rows:
    """RGBA of that size: transparent but for the mark."""
    picture = _picture(mark)
    plan = laid((width, height), (picture.width, picture.height), mark.position, mark.size)
    stamp = resized(picture, plan.width, plan.height).numpy().copy()
    stamp[:, :, 3] = np.rint(stamp[:, :, 3] * (mark.opacity / 100))
    canvas = np.zeros((height, width, 4), np.uint8)
    for x, y in plan.spots:
        left, top = max(0, x), max(0, y)
        piece = stamp[top - y : height - y, left - x : width - x]
        canvas[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
    return canvas


def _picture(mark: Mark) -> pyvips.Image:
    """Eight bits of RGBA: the dashboard kept it so, and encoded it itself."""
    return pyvips.Image.new_from_file(str(mark.picture)).colourspace("srgb")
