"""Colours: WCAG's contrast, and the nearest colour that meets a condition."""

from collections.abc import Callable
from functools import lru_cache
from math import dist

READABLE = 4.5
"""Contrast of text at level AA (WCAG 2.2, success criterion 1.4.3)."""
FINDABLE = 3.0
"""Contrast of a control against what surrounds it (WCAG 2.2, success criterion 1.4.11)."""
INKS = ("#ffffff", "#000000")
"""One of the two reads well on any colour: at the worst grey both have 4.58."""

Rgb = tuple[float, float, float]


@lru_cache(maxsize=256)
def ink_on(background: str) -> str:
    """White or black, whichever is easier to read."""
    return max(INKS, key=lambda ink: contrast(ink, background))


@lru_cache(maxsize=1024)
def readable_on(colour_text: str, paper: str) -> str:
    """The colour, darkened or lightened just as far as text on `paper` needs."""
    end = ink_on(paper)
    for step in range(21):
        text = mix(colour_text, end, step / 20)
        if contrast(text, paper) >= READABLE:
            return text
    return end


def nearest(colour_text: str, fits: Callable[[str], bool]) -> str | None:
    """The colour least far away, towards black or towards white, that `fits`; None when none on the way does.

    On the way the hue stays what it was, which is what a brand is known by.
    """
    found = []
    for end in INKS:
        for step in range(1, 129):
            candidate = mix(colour_text, end, step / 128)
            if fits(candidate):
                found.append(candidate)
                break
    return min(found, key=lambda one: dist(rgb(one), rgb(colour_text)), default=None)


def mix(one: str, other: str, share: float) -> str:
    """`one` with `share` of `other`, from 0 to 1, in sRGB."""
    parts = (a + (b - a) * share for a, b in zip(rgb(one), rgb(other), strict=True))
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    dark, light = sorted((luminance(rgb(one)), luminance(rgb(other))))
    return (light + 0.05) / (dark + 0.05)


def luminance(channels: Rgb) -> float:
    """Relative luminance (WCAG 2.2, definitions) of sRGB channels from 0 to 1."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=1024)
def rgb(text: str) -> Rgb:
    """sRGB channels from 0 to 1 of a CSS hex colour; anything else is taken for grey."""
    digits = text.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    try:
        red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    except ValueError:
        return (0.4, 0.4, 0.4)
    return (red, green, blue)


@lru_cache(maxsize=1024)
def colour(text: str) -> str:
    """A CSS hex colour that is certainly one."""
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in rgb(text))
