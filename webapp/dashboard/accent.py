"""Which accent colours are refused: those that people could not read or find on the brand's own pages."""

from tenants.registry import Theme
from webapp.brand import DARK_PAPER, LIGHT_PAPER, READABLE, contrast, ink_on, rgb

FINDABLE = 3.0
"""Contrast of a control against what surrounds it (WCAG 2.2, success criterion 1.4.11)."""


def usable(accent: str, theme: Theme) -> bool:
    """Whether a button in this colour stands out from the page and its label can be read.

    With the theme AUTO the light page decides: on the dark one the site lightens what it draws with the accent.
    """
    paper = DARK_PAPER if theme is Theme.DARK else LIGHT_PAPER
    return contrast(accent, paper) >= FINDABLE and contrast(accent, ink_on(accent)) >= READABLE


def suggestion(accent: str, theme: Theme) -> str:
    """The nearest usable colour between the accent and black, or white on the dark theme."""
    start, end = rgb(accent), 1.0 if theme is Theme.DARK else 0.0
    for step in range(1, 65):
        candidate = "#" + "".join(f"{round((part + (end - part) * step / 64) * 255):02x}" for part in start)
        if usable(candidate, theme):
            return candidate
    raise AssertionError("white is usable on the dark page, black on the light one")
