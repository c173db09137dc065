"""Typed ids, and the only maker of object keys.

An id is a ULID in lower case: 26 characters that sort by creation time, safe in a URL, a path, an object key and an
RQ job id.
"""

import re
from functools import lru_cache
from typing import NamedTuple, NewType

from ulid import ULID

TenantId = NewType("TenantId", str)
MemberId = NewType("MemberId", str)
AlbumId = NewType("AlbumId", str)
AssetId = NewType("AssetId", str)
UploadId = NewType("UploadId", str)
LinkId = NewType("LinkId", str)

ID_LENGTH = 26
_ID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RENDITION = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*){0,2}(\.[a-z0-9]{1,5})?")
MARKED = "m/"
"""Renditions with the tenant's watermark are below this in their generation."""
FULL = "full.jpg"
"""Below `MARKED` only: a photo in the original's size."""
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


_RENDITION_KEY = re.compile(r"t/([^/]+)/r/([^/]+)/([1-9][0-9]{0,8})/(.+)", re.DOTALL)


class RenditionKey(NamedTuple):
    """The parts of a rendition's key, in the order of `rendition_key`."""

    tenant: str
    asset: str
    generation: int
    name: str


def new_id() -> str:
    return str(ULID()).lower()


def is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text))


def is_slug(text: str) -> bool:
    """A DNS label (RFC 1035, section 2.3.1) in lower case: 1 to 63 of a-z, 0-9 and inner hyphens."""
    return bool(_SLUG.fullmatch(text))


def tenant_prefix(tenant: str) -> str:
    """Everything that a tenant stores is below this."""
    return f"t/{_checked(tenant)}/"


def original_key(tenant: str, asset: str, sha256: str) -> str:
    """`t/<tenant>/o/<asset>/<sha256>`; `sha256` is 64 lower-case hex digits."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    return f"{tenant_prefix(tenant)}o/{_checked(asset)}/{sha256}"


def original_prefix(tenant: str, asset: str) -> str:
    return f"{originals_root(tenant)}{_checked(asset)}/"


def originals_root(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}o/"


def marked_name(name: str) -> str:
    """The rendition that is the same with the tenant's watermark: `w640.jpg` becomes `m/w640.jpg`."""
    return f"{MARKED}{name}"


def is_marked(name: str) -> bool:
    return name.startswith(MARKED)


def rendition_key(tenant: str, asset: str, generation: int, name: str) -> str:
    """`t/<tenant>/r/<asset>/<generation>/<name>`; `name` is like `w640.jpg` or `hls/v0/seg-3.m4s`."""
    if not _RENDITION.fullmatch(name):
        raise ValueError(f"not a rendition name: {name!r}")
    return f"{generation_prefix(tenant, asset, generation)}{name}"


def parse_rendition(key: str) -> RenditionKey | None:
    """What `rendition_key` made `key` from; None if it made no such key."""
    found = _RENDITION_KEY.fullmatch(key)
    if found is None:
        return None
    tenant, asset, generation, name = found.groups()
    if not (is_id(tenant) and is_id(asset) and _RENDITION.fullmatch(name)):
        return None
    return RenditionKey(tenant, asset, int(generation), name)


def generation_prefix(tenant: str, asset: str, generation: int, *, marked: bool = False) -> str:
    if generation < 1:
        raise ValueError("generations count from 1")
    return renditions_root(tenant) + generation_path(_checked(asset), generation, marked=marked)


def generation_path(asset: str, generation: int, *, marked: bool = False) -> str:
    """Where a generation's renditions are among all of the tenant's: the plain ones, or those with the watermark. For
    an asset that was just read: nothing is checked."""
    return f"{asset}/{generation:d}/{MARKED if marked else ''}"


def renditions_prefix(tenant: str, asset: str) -> str:
    return f"{renditions_root(tenant)}{_checked(asset)}/"


@lru_cache(maxsize=256)
def renditions_root(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}r/"


def intake_key(tenant: str, upload: str) -> str:
    """`t/<tenant>/in/<upload>`: bytes of an upload that is still arriving."""
    return f"{intake_prefix(tenant)}{_checked(upload)}"


def intake_prefix(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}in/"


def brand_key(tenant: str, sha256: str) -> str:
    """`t/<tenant>/b/<sha256>`: a logo or another picture of the brand."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    return f"{brands_root(tenant)}{sha256}"


def brands_root(tenant: str) -> str:
    return f"{tenant_prefix(tenant)}b/"


def icon_key(tenant: str, sha256: str, size: int) -> str:
    """`t/<tenant>/b/<sha256>-<size>`: one size of the icon whose source has that SHA-256."""
    return f"{brand_key(tenant, sha256)}-{size:d}"


def card_key(tenant: str, subject: str, sha256: str) -> str:
    """`t/<tenant>/c/<subject>/<sha256>`: the picture that stands for an album, or for the tenant, in other sites'
    posts. `sha256` is of what it was made from."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    return f"{cards_prefix(tenant, subject)}{sha256}"


def cards_prefix(tenant: str, subject: str) -> str:
    return f"{tenant_prefix(tenant)}c/{_checked(subject)}/"


def export_key(tenant: str, export: str, fence: int) -> str:
    """`t/<tenant>/x/<export>/<fence>`: the archive that the holder of that fence has made."""
    return f"{export_prefix(tenant, export)}{fence:d}"


def export_prefix(tenant: str, export: str) -> str:
    return f"{tenant_prefix(tenant)}x/{_checked(export)}/"


def _checked(identifier: str) -> str:
    if not is_id(identifier):
        raise ValueError(f"not an id: {identifier!r}")
    return identifier
