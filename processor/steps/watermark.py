"""The tenant's watermark on pixels: a layer as large as the picture, laid over it by libvips."""

import numpy as np

from processor.steps.photo_decode import from_array
from processor.steps.photo_encode import Rows
from processor.steps.photo_resize import resized
from processor.steps.photo_vips import pyvips
from processor.task import Mark
from tenants.mark_layout import laid


def marked(rows: Rows, mark: Mark) -> Rows:
    """A copy of the picture with the mark: RGB stays RGB, and RGBA is opaque where the mark is."""
    height, width, bands = rows.shape
    stamped = from_array(rows).composite2(from_array(layer(width, height, mark)), "over")
    return np.ascontiguousarray(stamped.cast("uchar").numpy()[:, :, :bands])


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
