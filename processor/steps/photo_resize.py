"""Sizes: the ladder of widths, and shrinking along it."""

from dataclasses import replace

from processor.steps.photo_decode import Picture
from processor.steps.photo_vips import pyvips

WIDTHS = (320, 640, 1280, 2048)
MAX_HEIGHT = 8192
"""Nothing is taller: a chat log of 900 x 40,000 pixels counts as the 184 x 8,192 picture that fits."""


def ladder(width: int, height: int) -> list[tuple[int, int]]:
    """Width and height of each rendition of a picture that is shown at `width` x `height`, smallest first.

    Never larger than the picture: one that is narrower than a rung ends the ladder at its own width.
    """
    if height > MAX_HEIGHT:
        width, height = max(1, round(width * MAX_HEIGHT / height)), MAX_HEIGHT
    widths = [rung for rung in WIDTHS if rung < width] + [min(width, WIDTHS[-1])]
    return [(rung, max(1, round(height * rung / width))) for rung in dict.fromkeys(widths)]


def shrink(picture: Picture) -> Picture:
    """To the top of the ladder, still unturned: everything later has a fraction of the pixels to move."""
    width, height = ladder(*picture.header.shown)[-1]
    if picture.header.orientation >= 5:
        width, height = height, width
    return replace(picture, pixels=resized(picture.pixels, width, height))


def resized(pixels: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """Lanczos. Colours under transparency take no part: they are weighted by their alpha."""
    if (pixels.width, pixels.height) == (width, height):
        return pixels
    across, down = width / pixels.width, height / pixels.height
    if not pixels.hasalpha():
        return pixels.resize(across, vscale=down)
    return pixels.premultiply().resize(across, vscale=down).unpremultiply().cast(pixels.format)
