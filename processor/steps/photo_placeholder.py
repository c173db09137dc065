"""What a page shows before the picture arrives: a ThumbHash and one colour.

Written here because no kept Python package has the ThumbHash encoder; the algorithm is Evan Wallace's
(https://evanw.github.io/thumbhash/), and the tests compare with the output of his npm package `thumbhash`.
"""

import math
from base64 import b64encode
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processor.steps.photo_decode import from_array
from processor.steps.photo_resize import resized

SIDE = 100
"""ThumbHash takes pictures of at most 100 x 100."""

Plane = NDArray[np.float64]


@dataclass(frozen=True)
class Placeholder:
    """`thumbhash` is base64 of about 25 bytes, `dominant` a CSS hex colour."""

    thumbhash: str
    dominant: str


def placeholder(rows: NDArray[np.uint8]) -> Placeholder:
    """From height x width of 8-bit RGB or RGBA."""
    height, width = rows.shape[:2]
    scale = min(1.0, SIDE / max(width, height))
    small = resized(from_array(rows), max(1, round(width * scale)), max(1, round(height * scale)))
    rgba = small.numpy()
    if small.bands == 3:
        rgba = np.concatenate([rgba, np.full((*rgba.shape[:2], 1), 255, np.uint8)], axis=2)
    return Placeholder(b64encode(thumbhash(rgba)).decode(), dominant(rgba))


def dominant(rgba: NDArray[np.uint8]) -> str:
    """The mean of the fullest of 4,096 colour cells; transparent pixels do not count."""
    seen = rgba[rgba[..., 3] >= 128][:, :3].astype(np.int64)
    if not len(seen):
        return "#ffffff"
    cells = (seen >> 4) @ np.array([256, 16, 1])
    fullest = np.bincount(cells).argmax()
    red, green, blue = seen[cells == fullest].mean(axis=0).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def thumbhash(rgba: NDArray[np.uint8]) -> bytes:
    """The ThumbHash of rows of unassociated RGBA."""
    height, width = rgba.shape[:2]
    colour = rgba[..., :3] / 255.0
    alpha: Plane = rgba[..., 3] / 255.0
    total = alpha.sum()
    average = (colour * alpha[..., None]).sum(axis=(0, 1)) / (total or 1.0)
    has_alpha = bool((rgba[..., 3] < 255).any())
    over_average = average * (1 - alpha[..., None]) + colour * alpha[..., None]
    red, green, blue = np.moveaxis(over_average, 2, 0)

    most = 5 if has_alpha else 7  # Coefficients of luminance along the longer side; alpha takes the room of some.
    across = max(1, _round(most * width / max(width, height)))
    down = max(1, _round(most * height / max(width, height)))
    l_dc, l_ac, l_scale = _transform((red + green + blue) / 3, max(3, across), max(3, down))
    p_dc, p_ac, p_scale = _transform((red + green) / 2 - blue, 3, 3)
    q_dc, q_ac, q_scale = _transform(red - green, 3, 3)

    landscape = width > height
    head = _round(63 * l_dc) | _round(31.5 + 31.5 * p_dc) << 6 | _round(31.5 + 31.5 * q_dc) << 12
    head |= _round(31 * l_scale) << 18 | has_alpha << 23
    shape = (down if landscape else across) | _round(63 * p_scale) << 3 | _round(63 * q_scale) << 9 | landscape << 15
    packed: bytes = head.to_bytes(3, "little") + shape.to_bytes(2, "little")
    coefficients = [*l_ac, *p_ac, *q_ac]
    if has_alpha:
        a_dc, a_ac, a_scale = _transform(alpha, 5, 5)
        packed += bytes([_round(15 * a_dc) | _round(15 * a_scale) << 4])
        coefficients += a_ac
    nibbles = [_round(15 * value) for value in coefficients] + [0] * (len(coefficients) % 2)
    return packed + bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _transform(channel: Plane, across: int, down: int) -> tuple[float, list[float], float]:
    """The lower triangle of a DCT: mean, the other coefficients scaled to 0..1, and their scale."""
    height, width = channel.shape
    rows = np.cos(np.pi / height * np.outer(np.arange(down), np.arange(height) + 0.5))
    columns = np.cos(np.pi / width * np.outer(np.arange(across), np.arange(width) + 0.5))
    full = rows @ channel @ columns.T / (width * height)
    kept = [float(full[y, x]) for y in range(down) for x in range(across) if x * down < across * (down - y)]
    scale = max((abs(value) for value in kept[1:]), default=0.0)
    if scale:
        kept[1:] = [0.5 + 0.5 / scale * value for value in kept[1:]]
    return kept[0], kept[1:], scale


def _round(value: float) -> int:
    """JavaScript's Math.round: halves go up."""
    return math.floor(value + 0.5)
