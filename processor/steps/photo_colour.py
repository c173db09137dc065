"""Any colour space to 8-bit sRGB, and upright."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from processor.steps.photo_decode import Picture, from_array
from processor.steps.photo_header import PROFILE_LIMIT
from processor.steps.photo_vips import pyvips

_CHANNELS = {b"RGB ": 3, b"GRAY": 1, b"CMYK": 4}


def to_srgb(picture: Picture) -> Picture:
    """Three bands of 8-bit sRGB, and a fourth of alpha where something is transparent.

    By the embedded profile (relative colorimetric with black point compensation: the choice of Adobe's and Apple's
    converters) where it fits the pixels; without one CMYK is taken as the common coated offset profile that libvips
    carries, and anything else as what its own tags say.
    """
    pixels = picture.pixels
    profile = _usable(picture.header.profile, pixels)
    if profile is not None or pixels.interpretation == "cmyk":
        pixels = _by_profile(pixels, profile)
    else:
        pixels = _known(pixels).colourspace("srgb")
    if pixels.bands > 4:
        pixels = pixels[0:4]
    if pixels.format != "uchar":
        pixels = pixels.cast("uchar")
    return replace(picture, pixels=_without_idle_alpha(pixels))


def upright(picture: Picture) -> Picture:
    """Apply the EXIF orientation (Exif 3.0, tag 0x0112)."""
    if picture.header.orientation == 1:
        return picture
    pixels = picture.pixels.copy_memory()  # Turning reads out of order, which a sequential source cannot do.
    turns = {3: "rot180", 5: "rot90", 6: "rot90", 7: "rot270", 8: "rot270"}
    if turn := turns.get(picture.header.orientation):
        pixels = getattr(pixels, turn)()
    if picture.header.orientation in (2, 5, 7):
        pixels = pixels.fliphor()
    elif picture.header.orientation == 4:
        pixels = pixels.flipver()
    return replace(picture, pixels=pixels)


def over_white(pixels: pyvips.Image) -> pyvips.Image:
    """For formats without transparency."""
    return pixels.flatten(background=[255, 255, 255]) if pixels.hasalpha() else pixels


def _usable(profile: bytes | None, pixels: pyvips.Image) -> bytes | None:
    """The profile if it describes this kind of pixels and says something else than sRGB."""
    if profile is None or not 128 < len(profile) <= PROFILE_LIMIT or profile[36:40] != b"acsp":
        return None
    if _CHANNELS.get(profile[16:20]) != pixels.bands - pixels.hasalpha() or is_srgb(profile):
        return None
    return profile


@lru_cache(maxsize=64)
def is_srgb(profile: bytes) -> bool:
    """Whether converting a cube of colours changes none by more than a step, whatever the profile calls itself."""
    if profile[16:20] != b"RGB ":
        return False
    levels = np.linspace(0, 255, 6, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(6, 36, 3)
    try:
        converted = _by_profile(from_array(cube), profile).numpy()
    except pyvips.Error:
        return True  # A broken profile says nothing, and sRGB is what is assumed without one.
    return bool(np.abs(converted.astype(int) - cube.astype(int)).max() <= 1)


def _by_profile(pixels: pyvips.Image, profile: bytes | None) -> pyvips.Image:
    options = {"intent": "relative", "black_point_compensation": True}
    if profile is None:
        return pixels.icc_transform("srgb", input_profile="cmyk", **options)
    tagged = pixels.copy()
    tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return tagged.icc_transform("srgb", embedded=True, **options)


def _known(pixels: pyvips.Image) -> pyvips.Image:
    """Pixels with an interpretation that libvips can convert, going by their shape where the file names none."""
    if pixels.interpretation not in ("multiband", "matrix", "histogram", "fourier", "error"):
        return pixels
    deep = pixels.format == "ushort"
    if pixels.bands < 3:
        return pixels.copy(interpretation="grey16" if deep else "b-w")
    return pixels.copy(interpretation="rgb16" if deep else "srgb")


def _without_idle_alpha(pixels: pyvips.Image) -> pyvips.Image:
    if not pixels.hasalpha():
        return pixels
    pixels = pixels.copy_memory()  # The minimum takes a pass of its own, and the source may be good for one only.
    return pixels[0:3] if pixels[3].min() == 255 else pixels
