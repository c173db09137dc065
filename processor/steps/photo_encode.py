"""Encoders: pixels to files that hold nothing but the picture.

Pillow's encoders are handed bare pixel memory, so there is no metadata that they could pass on: no EXIF, no GPS, no
XMP, no profile (it is sRGB, which is what a browser assumes), no file name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from processor.steps.photo_colour import over_white
from processor.steps.photo_vips import pyvips


@dataclass(frozen=True)
class Format:
    """An output format with the encoder's settings (Pillow's names)."""

    suffix: str
    content_type: str
    pillow: str
    settings: tuple[tuple[str, Any], ...]
    alpha: bool


JPEG = Format("jpg", "image/jpeg", "JPEG", (("quality", 80), ("optimize", True), ("subsampling", "4:2:0")), alpha=False)
AVIF = Format(
    "avif",
    "image/avif",
    "AVIF",
    # Quality 72 reaches the SSIM of the JPEG at 80 on the median photo. libaom's default for stills, `iq`, takes a
    # sixth more CPU and 7 % more bytes for the same.
    (("quality", 72), ("speed", 9), ("subsampling", "4:2:0"), ("max_threads", 1), ("advanced", {"tune": "psnr"})),
    alpha=True,
)

MODERN = AVIF
"""What pages offer to browsers that know it. Measured against WebP: docs/adr/0030."""


def encode(pixels: pyvips.Image, form: Format, into: Path) -> None:
    """Write 8-bit sRGB `pixels` as `form`; transparency becomes white where the format has none."""
    as_pillow(pixels if form.alpha else over_white(pixels)).save(into, form.pillow, **dict(form.settings))


def as_pillow(pixels: pyvips.Image) -> Image.Image:
    """The same memory, seen by Pillow."""
    mode = "RGBA" if pixels.bands == 4 else "RGB"
    return Image.frombuffer(mode, (pixels.width, pixels.height), pixels.write_to_memory(), "raw", mode, 0, 1)
