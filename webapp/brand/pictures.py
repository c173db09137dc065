"""Pictures that tenants upload for their brand: decoded by content, bounded, and encoded again."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from infra.errors import Problem

MAX_BYTES = 4 * 1024 * 1024
MAX_PIXELS = 16_000_000

_FORMATS = ("PNG", "JPEG", "WEBP")


def decoded(data: bytes, box: tuple[int, int], *, field: str) -> Image.Image:
    """The picture, upright, in RGB or RGBA, scaled down to fit `box` if it was larger, without metadata.

    Nothing of the upload's own bytes survives. Raises `Problem("invalid")`.
    """
    if len(data) > MAX_BYTES:
        raise Problem("invalid", "The picture may have up to 4 MB.", field=field)
    try:
        # The header alone is read here: size and format are known before anything is decoded.
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Problem("invalid", "The picture has too many pixels. Please scale it down first.", field=field)
            image.draft("RGB", box)
            upright = ImageOps.exif_transpose(image)
            plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Problem("invalid", "This is no PNG, JPEG or WebP picture that can be read.", field=field) from None
    plain.thumbnail(box, Image.Resampling.LANCZOS)
    clean = Image.new(plain.mode, plain.size)  # A fresh image: `info` with its profiles and text stays behind.
    clean.paste(plain)
    return clean


def png(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG", optimize=True)
    return encoded.getvalue()
