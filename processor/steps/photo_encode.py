"""Encoders: pixels to files that hold nothing but the picture.

`keep="none"` leaves out all that libvips carries along with pixels: EXIF, GPS, XMP, IPTC, profile (the pixels are
sRGB, which is what browsers assume) and comments. SVT-AV1 gets bare pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processor.steps.photo_avif import MIN_SIDE, write_avif
from processor.steps.photo_colour import over_white
from processor.steps.photo_vips import pyvips


@dataclass(frozen=True)
class Format:
    """An output format: `save` writes 8-bit sRGB with or without alpha."""

    suffix: str
    content_type: str
    save: Callable[[pyvips.Image, Path], None]


JPEG_SETTINGS: dict[str, Any] = {"Q": 80, "optimize_coding": True, "subsample_mode": "on"}
AOM_SETTINGS: dict[str, Any] = {
    "compression": "av1",
    "Q": 72,
    "effort": 0,
    "subsample_mode": "on",
    # libaom's default for stills, `iq`, takes a fifth more CPU and 8 % more bytes for the same SSIM.
    "tune": "psnr",
}
"""libvips' AVIF, at the SSIM of the JPEG on the median photo. For what SVT-AV1 does not take."""


def _jpeg(pixels: pyvips.Image, into: Path) -> None:
    """Transparency becomes white."""
    over_white(pixels).jpegsave(str(into), keep="none", **JPEG_SETTINGS)


def _avif(pixels: pyvips.Image, into: Path) -> None:
    if pixels.hasalpha() or min(pixels.width, pixels.height) < MIN_SIDE:
        pixels.heifsave(str(into), keep="none", **AOM_SETTINGS)
    else:
        write_avif(pixels.numpy(), into)


JPEG = Format("jpg", "image/jpeg", _jpeg)
AVIF = Format("avif", "image/avif", _avif)

MODERN = AVIF
"""What pages offer to browsers that know it. Measured against WebP: docs/adr/0030."""
