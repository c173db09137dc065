"""Name, brand, watermark and privacy of an export, taken over by the tenant that imports it."""

import contextlib
import hashlib
import io
import re
from typing import Any, cast

from PIL import Image, UnidentifiedImageError
from sqlalchemy import inspect

from infra.errors import BlobExists
from tenants import portable, watermarks
from tenants.names import brand_key, icon_key
from tenants.privacy import Capture
from tenants.registry import Tenant
from tenants.scope import Site
from tenants.watermarks import ONLY, Watermark
from uploader.importing.plan import Plan
from uploader.importing.source import Entry

_PICTURE = re.compile(r"([0-9a-f]{64})(-[1-9][0-9]{0,3})?")
MOST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 4_000_000


def take_over(site: Site, plan: Plan) -> None:
    """Within a transaction of its own; what does not fit is left as it is. Commits."""
    about = plan.settings or {}
    kept = {name for entry in plan.brand if (name := _keep(site, entry))}
    tenant = site.session.get_one(Tenant, site.tenant_id)
    given = about.get("tenant")
    given = given if isinstance(given, dict) else {}
    tenant.name = portable.text(given.get("name"), 120) or tenant.name
    if capture := portable.member(Capture, given.get("capture")):
        tenant.capture = capture.value
    tenant.place = bool(portable.flag(given.get("place")))
    for name, value in portable.brand_fields(about.get("brand")).items():
        if name.endswith("_sha256") and value is not None and not _is_kept(value, kept):
            continue
        setattr(tenant.brand, name, value)
    marked = _watermark(site, about.get("watermark"), kept)
    tenant.marks = marked and bool(portable.flag(given.get("marks")))
    site.session.commit()


def _is_kept(sha256: str, kept: set[str]) -> bool:
    return any(name.partition("-")[0] == sha256 for name in kept)


def _keep(site: Site, entry: Entry) -> str | None:
    """Store a picture of the brand under the name that it had; None for what is none. A PNG, by its content."""
    named = _PICTURE.fullmatch(entry.name)
    if named is None or entry.size > MOST_BYTES:
        return None
    with entry.open() as file:
        data = file.read(MOST_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            small = picture.width * picture.height <= MOST_PIXELS
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return None
    # Sizes of an icon have the hash of what they were made from.
    if not small or (named[2] is None and digest != named[1]):
        return None
    plain = brand_key(site.tenant_id, named[1])
    key = icon_key(site.tenant_id, named[1], int(named[2][1:])) if named[2] else plain
    with contextlib.suppress(BlobExists):
        site.blobs.put(key, data, content_type="image/png")
    return entry.name


def _watermark(site: Site, given: Any, kept: set[str]) -> bool:
    """Whether the tenant has a watermark now."""
    if watermarks.of(site) is not None or not isinstance(given, dict):
        return watermarks.of(site) is not None
    columns = {column.key: column for column in inspect(Watermark).columns}
    fields: dict[str, Any] = {}
    for name in ("source", "position"):
        fields[name] = portable.member(cast(Any, columns[name].type).choices, given.get(name))
    for name in ("opacity", "size"):
        fields[name] = portable.number(given.get(name), 1, 100)
    fields["drawn_sha256"] = given.get("drawn_sha256")
    if None in fields.values() or fields["drawn_sha256"] not in kept:
        return False
    picture = given.get("picture_sha256")
    site.session.add(
        Watermark(
            tenant_id=site.tenant_id,
            name=ONLY,
            text=portable.text(given.get("text"), 60),
            picture_sha256=picture if picture in kept else None,
            full=bool(portable.flag(given.get("full"))),
            **fields,
        )
    )
    return True
