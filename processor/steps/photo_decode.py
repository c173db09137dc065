"""From file to pixels, with the fastest decoder that gets them right."""

from dataclasses import dataclass

import numpy as np
import pillow_heif
import simplejpeg

from processor.steps.photo_header import Header, loader_of
from processor.steps.photo_vips import pyvips

MAX_SCANS = 100
"""A progressive JPEG has about ten scans; thousands of empty ones are a known way to burn hours of CPU."""


@dataclass(frozen=True)
class Picture:
    """Pixels on their way, with the header that they came from. Steps return a new one."""

    pixels: pyvips.Image
    header: Header


def decode(header: Header) -> Picture:
    """The first frame at full size, as stored: not yet turned, in its own colour space.

    The pixels may be lazy and good for one pass only. A truncated file fails here or in that pass.
    """
    if header.content_type == "image/jpeg":
        pixels = _jpeg(header)
    elif header.content_type == "image/heic":
        pixels = _heic(header)
    else:
        pixels = _vips(header)
    return Picture(pixels, header)


def _jpeg(header: Header) -> pyvips.Image:
    """libjpeg-turbo straight into memory; what it finds fault with, libvips judges.

    libvips stops at missing data but forgives stray bytes between segments, which some cameras write.
    """
    data = header.path.read_bytes()
    if data.count(b"\xff\xda") > MAX_SCANS:
        return _vips(header)
    try:
        _, _, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("YCbCr", "RGB", "Gray"):
            return _vips(header)
        array = simplejpeg.decode_jpeg(data, "GRAY" if space == "Gray" else "RGB")
    except ValueError:
        return _vips(header)
    return from_array(array)


def _heic(header: Header) -> pyvips.Image:
    # Apple's cameras write HEVC, which the libvips wheel leaves out for its patents; libheif's own wheel has it.
    image = pillow_heif.open_heif(header.path, convert_hdr_to_8bit=True)
    return from_array(np.asarray(image))


def _vips(header: Header) -> pyvips.Image:
    options = {"access": "sequential", "fail_on": "truncated"}
    return pyvips.Operation.call(loader_of(header.content_type), str(header.path), **options)


def from_array(array: np.ndarray) -> pyvips.Image:
    """8-bit grey, RGB or RGBA in rows, shared and not copied."""
    height, width = array.shape[:2]
    bands = array.shape[2] if array.ndim == 3 else 1
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(array), width, height, bands, "uchar")
    return image.copy(interpretation="b-w" if bands < 3 else "srgb")
