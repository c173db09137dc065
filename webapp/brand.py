"""A tenant's look as CSS custom properties: readable on any accent colour that a tenant may choose."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from flask import Flask, g
from markupsafe import Markup

from tenants.registry import Brand, Font
from webapp.assets import asset_url

LIGHT_PAPER = "#ecece9"
DARK_PAPER = "#262a2e"
"""The worst backgrounds that accent-coloured text stands on: `--surface-2` of tokens.css."""
_INKS = ("#ffffff", "#000000")
"""One of the two reads well on any colour: at the worst grey both have 4.58."""
READABLE = 4.5
"""Contrast of text at level AA (WCAG 2.2, success criterion 1.4.3)."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Face:
    """A family that is served with the site: its package, weight range and what stands in until it is there."""

    family: str
    weights: str
    stack: str

    def file(self, subset: str) -> str:
        return f"{self.family}-{subset}-wght-normal.woff2"


FACES = {
    Font.SANS: Face("inter", "100 900", "system-ui, 'Segoe UI', Roboto, sans-serif"),
    Font.SERIF: Face("source-serif-4", "200 900", "Charter, Georgia, serif"),
    Font.ROUNDED: Face("nunito", "200 1000", "ui-rounded, 'Segoe UI', sans-serif"),
    Font.MONO: Face("jetbrains-mono", "100 800", "ui-monospace, Menlo, monospace"),
}

_LATIN_EXT = (
    "U+0100-02BA,U+02BD-02C5,U+02C7-02CC,U+02CE-02D7,U+02DD-02FF,U+0304,U+0308,U+0329,"
    "U+1D00-1DBF,U+1E00-1E9F,U+1EF2-1EFF,U+2C60-2C7F,U+A720-A7FF"
)
"""What the second file of a family holds: fetched only by pages that need it."""


def init_app(app: Flask) -> None:
    app.add_template_global(brand_style)
    app.add_template_global(brand_font_url)
    app.add_template_global(brand_icon)


def brand_font_url() -> str:
    """The one font file that the page uses, to be preloaded."""
    return asset_url(FACES[g.site.tenant.brand.font].file("latin"))


def brand_style() -> Markup:
    """The body of the page's one `<style>`."""
    brand: Brand = g.site.tenant.brand
    face = FACES[brand.font]
    light, dark = readable_on(brand.accent, LIGHT_PAPER), readable_on(brand.accent, DARK_PAPER)
    # Every part is ours or has been checked to be a colour: nothing here is a tenant's free text.
    return Markup(  # noqa: S704
        _font_face(face, "latin", "")
        + _font_face(face, "latin-ext", f";unicode-range:{_LATIN_EXT}")
        + f":root{{--font:Brand,{face.stack};--accent:{colour(brand.accent)};--accent-ink:{ink_on(brand.accent)};"
        f"--accent-text-light:{light};--accent-text-dark:{dark}}}"
    )


def _font_face(face: Face, subset: str, more: str) -> str:
    address = asset_url(face.file(subset))
    return (
        f"@font-face{{font-family:Brand;src:url({address}) format('woff2');"
        f"font-weight:{face.weights};font-display:swap{more}}}"
    )


def brand_icon() -> str:
    """The logo, or the accent colour as a dot, as the browser tab's picture."""
    brand: Brand = g.site.tenant.brand
    if brand.logo_sha256:
        return f"/brand/{brand.logo_sha256}"
    disc = f"<circle cx='8' cy='8' r='7' fill='{colour(brand.accent)}'/>"
    return "data:image/svg+xml," + quote(f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{disc}</svg>")


@lru_cache(maxsize=256)
def ink_on(background: str) -> str:
    """White or black, whichever is easier to read."""
    return max(_INKS, key=lambda ink: contrast(ink, background))


@lru_cache(maxsize=256)
def readable_on(colour_text: str, paper: str) -> str:
    """The colour, darkened or lightened just as far as text on `paper` needs."""
    end = _INKS[1] if luminance(rgb(paper)) > 0.5 else _INKS[0]
    start, target = rgb(colour_text), rgb(end)
    for step in range(21):
        share = step / 20
        mixed = tuple(a + (b - a) * share for a, b in zip(start, target, strict=True))
        text = "#" + "".join(f"{round(channel * 255):02x}" for channel in mixed)
        if contrast(text, paper) >= READABLE:
            return text
    return end


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    dark, light = sorted((luminance(rgb(one)), luminance(rgb(other))))
    return (light + 0.05) / (dark + 0.05)


def luminance(channels: Rgb) -> float:
    """Relative luminance (WCAG 2.2, definitions) of sRGB channels from 0 to 1."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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


def colour(text: str) -> str:
    """A CSS hex colour that is certainly one."""
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in rgb(text))
