"""Encoders: pixels to files that hold nothing but the picture.

`keep="none"` leaves out all that libvips carries along with pixels: EXIF, GPS, XMP, IPTC, profile (the pixels are
sRGB, which is what browsers assume) and comments.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processor.steps.photo_colour import over_white
from processor.steps.photo_vips import pyvips


@dataclass(frozen=True)
class Format:
    """An output format: the libvips operation that writes it, and its settings."""

    suffix: str
    content_type: str
    saver: str
    settings: tuple[tuple[str, Any], ...]
    alpha: bool


JPEG = Format(
    "jpg",
    "image/jpeg",
    "jpegsave",
    (("Q", 80), ("optimize_coding", True), ("subsample_mode", "on")),
    alpha=False,
)
AVIF = Format(
    "avif",
    "image/avif",
    "heifsave",
    # Q 72 reaches the SSIM of the JPEG at 80 on the median photo. libaom's default tuning for stills, `iq`, takes a
    # fifth more CPU and 8 % more bytes for the same.
    (("compression", "av1"), ("Q", 72), ("effort", 0), ("subsample_mode", "on"), ("tune", "psnr")),
    alpha=True,
)

MODERN = AVIF
"""What pages offer to browsers that know it. Measured against WebP: docs/adr/0030."""


def encode(pixels: pyvips.Image, form: Format, into: Path) -> None:
    """Write 8-bit sRGB `pixels` as `form`; transparency becomes white where the format has none."""
    shown = pixels if form.alpha else over_white(pixels)
    pyvips.Operation.call(form.saver, shown, str(into), keep="none", **dict(form.settings))
