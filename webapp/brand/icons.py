"""The icon of a site in browser tabs, on home screens and in its manifest."""

import io
from functools import lru_cache

from flask import Flask, g
from PIL import Image, ImageDraw, ImageFont

from tenants.registry import Brand, Tenant
from webapp.assets import DIST, asset_url
from webapp.brand import palette
from webapp.brand.colours import colour, ink_on
from webapp.brand.pictures import png
from webapp.brand.style import FACES

SIZES = (32, 180, 192, 512)
"""Tab; Apple's home screen; the two that a manifest needs to be installable."""
_MARGIN = 0.08
_ROUND = 0.22


def init_app(app: Flask) -> None:
    app.add_template_global(brand_icon)


def brand_icon(size: int) -> str:
    """The address of the icon; it changes with the icon, so a copy never goes stale."""
    return f"/brand/icon.png?size={size}&v={version(g.site.tenant)}"


def version(tenant: Tenant) -> str:
    """Tells one icon of the tenant from the next."""
    brand: Brand = tenant.brand
    if brand.icon_sha256:
        return brand.icon_sha256[:16]
    return (
        f"{_letter(tenant.name).encode().hex()}-{colour(brand.accent)[1:]}-{(brand.heading_font or brand.font).value}"
    )


def fitted(source: bytes, size: int) -> bytes:
    """A picture as a square PNG: whole, in the middle, on white where a home screen would show black."""
    with Image.open(io.BytesIO(source)) as opened:
        picture = opened.convert("RGBA")
    square = picture.width == picture.height
    inner = size if square else round(size * (1 - 2 * _MARGIN))
    scale = inner / max(picture.size)
    picture = picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
    )
    ground = (255, 255, 255, 255) if size > min(SIZES) else (255, 255, 255, 0)
    canvas = Image.new("RGBA", (size, size), ground)
    canvas.alpha_composite(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    return png(canvas)


def drawn(tenant: Tenant, size: int) -> bytes:
    """The name's first letter on the accent colour, for a tenant that has neither icon nor logo."""
    brand: Brand = tenant.brand
    face = FACES[brand.heading_font or brand.font].file("latin")
    return _drawn(_letter(tenant.name), colour(brand.accent), face, size)


@lru_cache(maxsize=256)
def _drawn(letter: str, accent: str, face: str, size: int) -> bytes:
    large = size * (4 if size == min(SIZES) else 2)  # Scaled down: Pillow's corners are not smooth.
    canvas = Image.new("RGBA", (large, large), (0, 0, 0, 0) if size == min(SIZES) else accent)
    draw = ImageDraw.Draw(canvas)
    if size == min(SIZES):
        draw.rounded_rectangle((0, 0, large - 1, large - 1), radius=round(large * _ROUND), fill=accent)
    if letter:
        font = ImageFont.truetype(str(DIST / asset_url(face).rpartition("/")[2]), round(large * 0.58))
        font.set_variation_by_axes([650])
        draw.text((large / 2, large / 2), letter, font=font, fill=ink_on(accent), anchor="mm")
    return png(canvas.resize((size, size), Image.Resampling.LANCZOS))


def _letter(name: str) -> str:
    """The name's first letter where the served fonts have it; else none, and the colour stands alone."""
    first = next((character for character in name if character.isalnum()), "").upper()
    return first if len(first) == 1 and ord(first) < 0x100 else ""


def manifest(tenant: Tenant) -> dict[str, object]:
    """The web app manifest (W3C), so that an album site can be put on a home screen."""
    paper = palette.papers(tenant.brand, dark=tenant.brand.theme.value == "dark").paper
    return {
        "name": tenant.name,
        "short_name": tenant.name[:12].strip(),
        "start_url": "/",
        "display": "minimal-ui",
        **({"lang": tenant.brand.locale} if tenant.brand.locale else {}),
        "background_color": paper,
        "theme_color": paper,
        "icons": [
            {"src": brand_icon(size), "sizes": f"{size}x{size}", "type": "image/png"} for size in SIZES if size >= 192
        ],
    }
