"""From file to pixels.

libvips reads rows as the resizer asks for them, so a photo does not stand in memory at full size. The exception is
what cameras write most: libjpeg-turbo decodes a plain JPEG into an array faster (docs/adr/0031).
"""

import mmap
from dataclasses import dataclass

import numpy as np
import pillow_heif
import simplejpeg

from processor.steps.photo_header import Header, loader_of
from processor.steps.photo_vips import pyvips

ARRAY_PIXELS = 32_000_000
"""Up to here a JPEG may stand in memory: 96 MB."""
_REPLICATED_FROM = 3072
"""Width from which chroma need not be interpolated: the widest rendition has two thirds of it or less."""


@dataclass(frozen=True)
class Picture:
    """Pixels on their way, with the header that they came from. Steps return a new one."""

    pixels: pyvips.Image
    header: Header


def decode(header: Header) -> Picture:
    """The first frame at full size, as stored: not yet turned, in its own colour space.

    The pixels may be lazy and good for one pass only, and a truncated file fails only in that pass. JPEG is never
    decoded at half scale, which saves little and shows in fine detail of the largest rendition.
    """
    if header.content_type == "image/heic":
        return Picture(_heic(header), header)
    pixels = _vips(header)
    return Picture(_jpeg(pixels, header) if _is_plain_jpeg(pixels, header) else pixels, header)


def _heic(header: Header) -> pyvips.Image:
    # Apple's cameras write HEVC, which the libvips wheel leaves out for its patents; libheif's own wheel has it.
    return from_array(np.asarray(pillow_heif.open_heif(header.path, convert_hdr_to_8bit=True)))


def _vips(header: Header) -> pyvips.Image:
    """Missing data is an error; stray bytes between segments of a JPEG, which some cameras write, are not."""
    # libvips' TIFF reader takes a missing strip for an error, not for truncation.
    strictness = "error" if header.content_type == "image/tiff" else "truncated"
    return pyvips.Operation.call(
        loader_of(header.content_type), str(header.path), access="sequential", fail_on=strictness
    )


def _is_plain_jpeg(pixels: pyvips.Image, header: Header) -> bool:
    """Colour, in one scan: a progressive file may be a bomb of scans, which libvips counts and simplejpeg does not."""
    return (
        header.content_type == "image/jpeg"
        and pixels.interpretation == "srgb"
        and pixels.width * pixels.height <= ARRAY_PIXELS
        and not pixels.get("jpeg-multiscan")
    )


def _jpeg(pixels: pyvips.Image, header: Header) -> pyvips.Image:
    """Decoded whole by libjpeg-turbo; `pixels`, which are lazy, where it warns: libvips knows what to forgive."""
    with header.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return from_array(simplejpeg.decode_jpeg(data, fastupsample=header.shown[0] >= _REPLICATED_FROM))
        except ValueError:
            return pixels


def from_array(array: np.ndarray) -> pyvips.Image:
    """8-bit grey, RGB or RGBA in rows, shared and not copied."""
    height, width = array.shape[:2]
    bands = array.shape[2] if array.ndim == 3 else 1
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(array), width, height, bands, "uchar")
    return image.copy(interpretation="b-w" if bands < 3 else "srgb")
