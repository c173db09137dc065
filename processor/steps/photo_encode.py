"""Encoders: rows of pixels to files that hold nothing but the picture.

No EXIF, GPS, XMP, IPTC, comments or profile (the pixels are sRGB, which is what browsers assume): the encoders get bare
arrays, which have none to pass on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from processor.steps.photo_avif import MIN_SIDE, write_avif
from processor.steps.photo_colour import over_white
from processor.steps.photo_decode import from_array

Rows = NDArray[np.uint8]


@dataclass(frozen=True)
class Format:
    """An output format: `save` writes height x width of 8-bit sRGB, as RGB or RGBA."""

    suffix: str
    content_type: str
    save: Callable[[Rows, Path], None]


JPEG_SETTINGS: dict[str, Any] = {"quality": 80, "optimize": True, "subsampling": "4:2:0"}
AOM_SETTINGS: dict[str, Any] = {
    "compression": "av1",
    "Q": 72,
    "effort": 0,
    "subsample_mode": "on",
    # libaom's default for stills, `iq`, takes a fifth more CPU and 8 % more bytes for the same SSIM.
    "tune": "psnr",
}
"""libvips' AVIF, at the SSIM of the JPEG on the median photo. For what SVT-AV1 does not take."""


def _jpeg(rows: Rows, into: Path) -> None:
    """By Pillow's libjpeg-turbo. Transparency becomes white."""
    shown = over_white(from_array(rows)).numpy() if rows.shape[2] == 4 else rows
    Image.fromarray(shown).save(into, "JPEG", **JPEG_SETTINGS)


def _avif(rows: Rows, into: Path) -> None:
    if rows.shape[2] == 4 or min(rows.shape[:2]) < MIN_SIDE:
        from_array(rows).heifsave(str(into), keep="none", **AOM_SETTINGS)
    else:
        write_avif(rows, into)


JPEG = Format("jpg", "image/jpeg", _jpeg)
AVIF = Format("avif", "image/avif", _avif)

MODERN = AVIF
"""What pages offer to browsers that know it. Measured against WebP: docs/adr/0030."""
