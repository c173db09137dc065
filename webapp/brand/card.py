"""The picture that stands for an album in other sites' posts: the cover with the tenant's logo, 1200 x 630."""

import hashlib
import io
from functools import lru_cache

from PIL import Image, ImageOps

from tenants.registry import Brand, Theme
from webapp.brand import palette

SIZE = (1200, 630)
"""Of Open Graph's large pictures: 1.91 to 1."""
CONTENT_TYPE = "image/jpeg"
_VERSION = "1"
"""Changes with the drawing below, so that cards are made again."""
_LOGO = (300, 96)
_EDGE = 48
_PAD = 24


@lru_cache(maxsize=1024)
def fingerprint(*made_from: str | int | None) -> str:
    """SHA-256 of what a card is made from: its address and its key."""
    return hashlib.sha256("\0".join([_VERSION, *map(str, made_from)]).encode()).hexdigest()


def made(brand: Brand, cover: bytes | None, logo: bytes | None, icon: bytes) -> bytes:
    """The card as JPEG. Without a cover the logo, or else the icon, stands in the middle of the brand's paper."""
    paper = palette.papers(brand, dark=brand.theme is Theme.DARK).paper
    if cover is None:
        canvas = Image.new("RGB", SIZE, paper)
        _place(canvas, _picture(logo or icon, (600, 240)))
    else:
        canvas = _cover(cover)
        if logo is not None:
            _plate(canvas, _picture(logo, _LOGO), paper)
    encoded = io.BytesIO()
    canvas.save(encoded, "JPEG", quality=84, optimize=True, progressive=True)
    return encoded.getvalue()


def _cover(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", SIZE)
        # A little above the middle: that is where people's faces are.
        return ImageOps.fit(opened.convert("RGB"), SIZE, Image.Resampling.LANCZOS, centering=(0.5, 0.4))


def _picture(data: bytes, box: tuple[int, int]) -> Image.Image:
    with Image.open(io.BytesIO(data)) as opened:
        return ImageOps.contain(opened.convert("RGBA"), box, Image.Resampling.LANCZOS)


def _plate(canvas: Image.Image, logo: Image.Image, paper: str) -> None:
    """The logo on a plate of paper in the lower corner: it was drawn for paper, not for a photograph."""
    plate = Image.new("RGB", (logo.width + 2 * _PAD, logo.height + 2 * _PAD), paper)
    _place(plate, logo)
    canvas.paste(plate, (_EDGE, SIZE[1] - _EDGE - plate.height))


def _place(canvas: Image.Image, picture: Image.Image) -> None:
    """In the middle."""
    at = ((canvas.width - picture.width) // 2, (canvas.height - picture.height) // 2)
    canvas.paste(picture, at, picture)
