"""The watermark as one PNG with transparency: the tenant's words, its logo, or a picture that was sent for this.

Also what it looks like on a photo, for the dashboard; renditions get it from `processor/steps/watermark.py`.
"""

import io
from base64 import b64encode
from functools import lru_cache
from itertools import groupby

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tenants.mark_layout import Position, laid
from tenants.registry import Font
from webapp.assets import DIST, asset_url
from webapp.brand.pictures import decoded, png
from webapp.brand.style import FACES, LATIN, LATIN_EXT

BOX = (2000, 1200)
"""What a mark is scaled down to fit, in pixels: photos are shown no larger."""
_LETTERS = 120
"""Height of type, in pixels, before it is scaled down to fit."""
_SHADE = 0.045
"""Of that height: how far the dark edge reaches, which keeps white words legible on white."""


def unknown(text: str) -> str:
    """The characters that the site's typefaces lack."""
    return "".join(dict.fromkeys(each for each in text if _subset(each) is None))


def words(text: str, font: Font) -> bytes:
    """White with a soft dark edge, in one line."""
    runs = [(subset or "latin", "".join(each)) for subset, each in groupby(text, _subset)]
    faces = [(_face(font, subset), run) for subset, run in runs]
    edge = round(_LETTERS * _SHADE * 3)
    width = round(sum(face.getlength(run) for face, run in faces)) + 2 * edge
    shape = Image.new("L", (max(1, width), 2 * _LETTERS), 0)
    pen, at = ImageDraw.Draw(shape), float(edge)
    for face, run in faces:
        pen.text((at, _LETTERS * 1.4), run, font=face, fill=255, anchor="ls")
        at += face.getlength(run)
    shade = shape.filter(ImageFilter.GaussianBlur(_LETTERS * _SHADE)).point(lambda value: min(255, value * 2))
    canvas = Image.new("RGBA", shape.size, (0, 0, 0, 0))
    canvas.putalpha(shade)
    canvas.alpha_composite(Image.merge("RGBA", (*[Image.new("L", shape.size, 255)] * 3, shape)))
    canvas = canvas.crop(canvas.getbbox() or (0, 0, 1, 1))
    canvas.thumbnail(BOX, Image.Resampling.LANCZOS)
    return png(canvas)


def picture(data: bytes) -> bytes:
    """What was sent, without its transparent border. Raises `Problem("invalid")`."""
    sent = decoded(data, BOX, field="picture").convert("RGBA")
    return png(sent.crop(sent.getchannel("A").getbbox() or (0, 0, 1, 1)))


def small(stored: bytes) -> str:
    """A `data:` address of it, as high as a form shows it. It has no other: with it a mark could be computed away."""
    with Image.open(io.BytesIO(stored)) as opened:
        opened.thumbnail((480, 160))
        return f"data:image/png;base64,{b64encode(png(opened)).decode()}"


def on_photo(photo: Image.Image, mark: bytes, position: Position, size: int, opacity: int) -> bytes:
    """A JPEG of the photo with the mark."""
    with Image.open(io.BytesIO(mark)) as opened:
        stamp = opened.convert("RGBA")
    plan = laid(photo.size, stamp.size, position, size)
    stamp = stamp.resize((plan.width, plan.height), Image.Resampling.LANCZOS)
    stamp.putalpha(stamp.getchannel("A").point(lambda value: round(value * opacity / 100)))
    layer = Image.new("RGBA", photo.size, (0, 0, 0, 0))
    for spot in plan.spots:
        layer.paste(stamp, spot)
    shown = Image.alpha_composite(photo.convert("RGBA"), layer).convert("RGB")
    encoded = io.BytesIO()
    shown.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


@lru_cache(maxsize=8)
def _face(font: Font, subset: str) -> ImageFont.FreeTypeFont:
    file = DIST / asset_url(FACES[font].file(subset)).rpartition("/")[2]
    face = ImageFont.truetype(str(file), _LETTERS)
    face.set_variation_by_axes([600])
    return face


def _subset(character: str) -> str | None:
    """Which of a family's two files has it; None if neither does, or if it is none to be seen."""
    if not character.isprintable():
        return None
    for name, ranges in (("latin", LATIN), ("latin-ext", LATIN_EXT)):
        if any(first <= ord(character) <= last for first, last in ranges):
            return name
    return None
