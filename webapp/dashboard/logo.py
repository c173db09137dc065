"""Logo and icon as they are kept: encoded again, under the SHA-256 of what they are."""

import contextlib
import hashlib
from typing import BinaryIO

from infra.errors import BlobExists
from tenants.names import brand_key, icon_key
from tenants.scope import Site
from webapp.brand import icons, pictures

BOX = (800, 320)
"""What a logo is scaled down to fit, in pixels: the header shows it about 40 CSS pixels high."""


def store(site: Site, upload: BinaryIO) -> tuple[str, str]:
    """Keep the picture; the SHA-256 and content type for the brand's row. Raises `Problem("invalid")`."""
    png = encode(upload.read(pictures.MAX_BYTES + 1))
    digest = hashlib.sha256(png).hexdigest()
    _put(site, brand_key(site.tenant_id, digest), png)
    return digest, "image/png"


def encode(data: bytes) -> bytes:
    """The picture as a PNG within `BOX`, upright, in sRGB or with alpha, without metadata."""
    return pictures.png(pictures.decoded(data, BOX, field="logo"))


def store_icon(site: Site, upload: BinaryIO) -> str:
    """Keep the picture as an icon in every size; the SHA-256 for the brand's row. Raises `Problem("invalid")`."""
    largest = (max(icons.SIZES),) * 2
    picture = pictures.decoded(upload.read(pictures.MAX_BYTES + 1), largest, field="icon")
    return _keep_icon(site, pictures.png(picture))


def icon_of_logo(site: Site, sha256: str) -> str:
    """The kept logo as an icon; the SHA-256 for the brand's row."""
    with site.blobs.open(brand_key(site.tenant_id, sha256)) as logo:
        return _keep_icon(site, logo.read())


def _keep_icon(site: Site, png: bytes) -> str:
    digest = hashlib.sha256(b"icon " + png).hexdigest()
    for size in icons.SIZES:
        _put(site, icon_key(site.tenant_id, digest, size), icons.fitted(png, size))
    return digest


def _put(site: Site, key: str, png: bytes) -> None:
    with contextlib.suppress(BlobExists):  # The same picture was kept before.
        site.blobs.put(key, png, content_type="image/png")
