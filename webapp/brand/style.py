"""A tenant's look as CSS custom properties: readable on any colours that a tenant may choose."""

from dataclasses import dataclass
from functools import lru_cache

from flask import Flask, g
from markupsafe import Markup

from tenants.registry import Brand, Font
from tenants.scope import settings
from webapp.assets import asset_url, built_at
from webapp.brand import css, palette
from webapp.brand.colours import colour, ink_on
from webapp.brand.palette import Papers


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

Ranges = tuple[tuple[int, int], ...]

LATIN: Ranges = ((0x20, 0x7E), (0xA0, 0xFF), (0x152, 0x153), (0x2010, 0x2026), (0x20AC, 0x20AC), (0x2122, 0x2122))
"""Of what the first file of a family holds, what words are written in."""
LATIN_EXT: Ranges = (
    *((0x100, 0x2BA), (0x2BD, 0x2C5), (0x2C7, 0x2CC), (0x2CE, 0x2D7), (0x2DD, 0x2FF), (0x304, 0x304)),
    *((0x308, 0x308), (0x329, 0x329), (0x1D00, 0x1DBF), (0x1E00, 0x1E9F), (0x1EF2, 0x1EFF), (0x2C60, 0x2C7F)),
    (0xA720, 0xA7FF),
)
"""What the second file of a family holds: fetched only by pages that need it."""
_LATIN_EXT = ",".join(f"U+{first:04X}-{last:04X}" for first, last in LATIN_EXT)


def init_app(app: Flask) -> None:
    app.add_template_global(brand_style)
    app.add_template_global(brand_css)
    app.add_template_global(brand_font_urls)
    app.add_template_global(brand_papers)
    app.add_template_global(lambda: settings().base_domain, "host_name")
    app.add_template_global(lambda: settings().site_url(settings().base_domain), "host_address")


def brand_font_urls() -> tuple[str, ...]:
    """The one or two font files that the page uses, to be preloaded."""
    brand: Brand = g.site.tenant.brand
    return _font_urls(brand.font, brand.heading_font or brand.font, built_at())


@lru_cache(maxsize=64)
def _font_urls(font: Font, heading: Font, _built: int) -> tuple[str, ...]:
    return tuple(asset_url(FACES[one].file("latin")) for one in dict.fromkeys((font, heading)))


def brand_papers() -> tuple[str, str]:
    """Background of the light and of the dark theme, for the browser's own bars."""
    brand: Brand = g.site.tenant.brand
    return palette.papers(brand, dark=False).paper, palette.papers(brand, dark=True).paper


def brand_style() -> Markup:
    """The body of the page's `<style>`."""
    brand: Brand = g.site.tenant.brand
    papers = palette.papers(brand, dark=False), palette.papers(brand, dark=True)
    return _style(brand.font, brand.heading_font or brand.font, brand.accent, papers, built_at())


@lru_cache(maxsize=512)
def _style(font: Font, heading_font: Font, accent: str, papers: tuple[Papers, Papers], _built: int) -> Markup:
    face, heading = FACES[font], FACES[heading_font]
    faces, headings = _faces("Brand", face), ""
    if heading is not face:
        faces += _faces("BrandHeading", heading)
        headings = f"--font-heading:BrandHeading,{heading.stack};"
    # Every part is ours or has been checked to be a colour: nothing here is a tenant's free text.
    return Markup(  # noqa: S704
        f"{faces}:root{{--font:Brand,{face.stack};{headings}--accent:{colour(accent)};"
        f"--accent-ink:{ink_on(accent)};{palette.declarations(accent, *papers)}}}"
    )


def brand_css() -> Markup:
    """The tenant's own CSS, as far as it is safe; for the site's pages only, so that the dashboard always works."""
    # It holds no `<`, so it cannot end the element that it is in (webapp/brand/css.py).
    return Markup(css.safe(g.site.tenant.brand.css))  # noqa: S704


def _faces(name: str, face: Face) -> str:
    return _font_face(name, face, "latin", "") + _font_face(name, face, "latin-ext", f";unicode-range:{_LATIN_EXT}")


def _font_face(name: str, face: Face, subset: str, more: str) -> str:
    address = asset_url(face.file(subset))
    return (
        f"@font-face{{font-family:{name};src:url({address}) format('woff2');"
        f"font-weight:{face.weights};font-display:swap{more}}}"
    )
