"""A logo as it is kept: decoded by content, bounded, and encoded again: nothing of the upload's own bytes survives."""

import contextlib
import hashlib
import io
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from infra.errors import BlobExists, Problem
from tenants.names import brand_key
from tenants.scope import Site

MAX_BYTES = 4 * 1024 * 1024
MAX_PIXELS = 16_000_000
BOX = (800, 320)
"""What it is scaled down to fit, in pixels: the header shows it about 40 CSS pixels high."""

_FORMATS = ("PNG", "JPEG", "WEBP")


def store(site: Site, upload: BinaryIO) -> tuple[str, str]:
    """Keep the picture; the SHA-256 and content type for the brand's row. Raises `Problem("invalid")`."""
    png = encode(upload.read(MAX_BYTES + 1))
    digest = hashlib.sha256(png).hexdigest()
    with contextlib.suppress(BlobExists):  # The same picture was the logo before.
        site.blobs.put(brand_key(site.tenant_id, digest), png, content_type="image/png")
    return digest, "image/png"


def encode(data: bytes) -> bytes:
    """The picture as a PNG within `BOX`, upright, in sRGB or with alpha, without metadata."""
    if len(data) > MAX_BYTES:
        raise Problem("invalid", "The logo may have up to 4 MB.", field="logo")
    try:
        # The header alone is read here: size and format are known before anything is decoded.
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Problem("invalid", "The logo has too many pixels. Please scale it down first.", field="logo")
            image.draft("RGB", BOX)
            upright = ImageOps.exif_transpose(image)
            plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Problem("invalid", "This is no PNG, JPEG or WebP picture that can be read.", field="logo") from None
    plain.thumbnail(BOX, Image.Resampling.LANCZOS)
    clean = Image.new(plain.mode, plain.size)  # A fresh image: `info` with its profiles and text stays behind.
    clean.paste(plain)
    encoded = io.BytesIO()
    clean.save(encoded, "PNG", optimize=True)
    return encoded.getvalue()
