"""A tenant as plain documents: what an export writes and an import reads (ADR 0173).

Version 1 is a BagIt bag (RFC 8493). Its payload has `tenant.json`, a folder for each album with `album.json`, beside
each original a side file of the same name with `.json`, another with `.xmp` for other programs, and `site/`, the pages.
Times are ISO 8601 with an offset; enumerations are their values. Readers pass over fields that they do not know.
"""

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import inspect

from tenants.catalog import Album, Asset
from tenants.registry import Brand, Tenant
from tenants.watermarks import Watermark

FORMAT, VERSION = "vitrine-tenant", 1
TENANT_FILE = "tenant.json"
ALBUM_FILE = "album.json"
SIDE = ".json"
XMP = ".xmp"

MOST_JSON = 32 * 1024 * 1024
"""Bytes of one document: an album of 100,000 files has some ten of them."""

ALBUM_FIELDS = (
    *("slug", "title", "description", "visibility", "ordering", "originals"),
    *("capture", "place", "marks", "layout", "created_at", "updated_at"),
)
ASSET_FIELDS = (
    *("filename", "caption", "sha256", "size", "content_type", "kind", "width", "height", "duration"),
    *("taken_at", "taken_offset", "has_capture_time", "position", "held", "created_at"),
)
TENANT_FIELDS = ("slug", "name", "created_at", "capture", "place", "marks")
_NOT_OF_A_BRAND = ("tenant_id", "host_credit")
_NOT_OF_A_MARK = ("tenant_id", "name")


@dataclass
class AlbumDocument:
    """`parent` is another album's id in the same export, `cover` a file's; `files` are names in the album's order."""

    id: str
    fields: dict[str, Any]
    parent: str | None = None
    cover: str | None = None
    files: list[str] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    guests: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        about = asdict(self)
        return {"id": about.pop("id"), **about.pop("fields"), **about}


def album_fields(album: Album) -> dict[str, Any]:
    return {name: plain(getattr(album, name)) for name in ALBUM_FIELDS}


def asset_document(asset: Asset, tags: list[str], media: Mapping[str, str]) -> dict[str, Any]:
    """The side file. `media` are attributes of the camera, the place among them: the tenant's own."""
    about = {name: plain(getattr(asset, name)) for name in ASSET_FIELDS}
    return {"id": asset.id, "album": asset.album_id, **about, "tags": tags, "media": dict(sorted(media.items()))}


def tenant_document(tenant: Tenant, mark: Watermark | None, **more: object) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "tenant": {name: plain(getattr(tenant, name)) for name in TENANT_FIELDS},
        "brand": columns(tenant.brand, but=_NOT_OF_A_BRAND),
        "watermark": columns(mark, but=_NOT_OF_A_MARK) if mark else None,
        **more,
    }


def columns(row: object, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """A row's columns as JSON has them."""
    return {each.key: plain(getattr(row, each.key)) for each in inspect(type(row)).column_attrs if each.key not in but}


def plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


# --- Reading: what comes from outside is somebody's word, so each value that does not fit is left out -------------


def moment(value: Any) -> datetime | None:
    """An aware time; None for what is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None and 1 <= found.year < 9999 else None


def text(value: Any, most: int) -> str:
    """Without control characters but line breaks, cut to `most` characters; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    kept = "".join(c for c in value.replace("\r\n", "\n") if c.isprintable() or c in "\n\t")
    return kept.strip()[:most]


def flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def number(value: Any, least: int, most: int) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return int(value) if fits else None


def member(kind: type[enum.Enum], value: Any) -> Any:
    """The enumeration's member of that value; None if there is none."""
    try:
        return kind(value)
    except ValueError:
        return None


def brand_fields(given: Any) -> dict[str, Any]:
    """What of a brand's document fits the brand's columns."""
    found: dict[str, Any] = {}
    if not isinstance(given, dict):
        return found
    for column in inspect(Brand).columns:
        value = given.get(column.key)
        if column.key in _NOT_OF_A_BRAND or (value is None and not column.nullable) or column.key not in given:
            continue
        kind = getattr(column.type, "choices", None)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            value = member(kind, value)
            if value is None and not column.nullable:
                continue
        elif column.key in ("header_links", "footer_links"):
            value = [link for link in value if _is_link(link)][:12] if isinstance(value, list) else []
        elif value is not None and not _fits(column.key, value):
            continue
        found[column.key] = value
    return found


_HEX = frozenset("0123456789abcdef")


def _fits(name: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if name in ("accent", "paper_light", "ink_light", "paper_dark", "ink_dark"):
        return len(value) == 7 and value[0] == "#" and set(value[1:].lower()) <= _HEX
    if name.endswith("_sha256"):
        return len(value) == 64 and set(value) <= _HEX
    if name == "logo_type":
        return value == "image/png"
    return len(value) <= {"css": 20_000, "tagline": 200}.get(name, 16)


def _is_link(link: Any) -> bool:
    return (
        isinstance(link, dict)
        and set(link) == {"label", "url"}
        and all(isinstance(value, str) and 0 < len(value) <= 500 for value in link.values())
        and link["url"].startswith(("http://", "https://"))
    )
