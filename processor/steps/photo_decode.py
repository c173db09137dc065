"""From file to pixels.

libvips reads rows as the resizer asks for them, so a photo never stands in memory at full size. (libjpeg-turbo into an
array, by simplejpeg, was measured as no faster, for 70 MB more at 24 megapixels.)
"""

from dataclasses import dataclass

import numpy as np
import pillow_heif

from processor.steps.photo_header import Header, loader_of
from processor.steps.photo_vips import pyvips


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
    return Picture(_heic(header) if header.content_type == "image/heic" else _vips(header), header)


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


def from_array(array: np.ndarray) -> pyvips.Image:
    """8-bit grey, RGB or RGBA in rows, shared and not copied."""
    height, width = array.shape[:2]
    bands = array.shape[2] if array.ndim == 3 else 1
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(array), width, height, bands, "uchar")
    return image.copy(interpretation="b-w" if bands < 3 else "srgb")
