"""The side file that other programs read: XMP (ISO 16684-1) with caption, tags, capture time and place."""

from collections.abc import Mapping
from datetime import UTC, timedelta, timezone
from xml.etree import ElementTree

from tenants.catalog import Asset
from tenants.privacy import PLACE

_NS = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
}
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def xmp(asset: Asset, tags: list[str], media: Mapping[str, str]) -> bytes:
    """A document of UTF-8, without the packet wrapper, which side files do without (part 3)."""
    for prefix, uri in _NS.items():
        ElementTree.register_namespace(prefix, uri)
    root = ElementTree.Element(_name("x", "xmpmeta"))
    rdf = ElementTree.SubElement(root, _name("rdf", "RDF"))
    about = ElementTree.SubElement(rdf, _name("rdf", "Description"), {_name("rdf", "about"): ""})
    if asset.caption:
        items = _list(about, _name("dc", "description"), "Alt", [asset.caption])
        items[0].set(_LANG, "x-default")
    if tags:
        _list(about, _name("dc", "subject"), "Bag", tags)
    if asset.has_capture_time:
        ElementTree.SubElement(about, _name("photoshop", "DateCreated")).text = _taken(asset)
        ElementTree.SubElement(about, _name("xmp", "CreateDate")).text = _taken(asset)
    for name, value in _place(media):
        ElementTree.SubElement(about, _name("exif", name)).text = value
    ElementTree.indent(root)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _name(prefix: str, local: str) -> str:
    return f"{{{_NS[prefix]}}}{local}"


def _list(about: ElementTree.Element, name: str, kind: str, values: list[str]) -> list[ElementTree.Element]:
    listed = ElementTree.SubElement(ElementTree.SubElement(about, name), _name("rdf", kind))
    items = [ElementTree.SubElement(listed, _name("rdf", "li")) for _ in values]
    for item, value in zip(items, values, strict=True):
        item.text = "".join(c for c in value if c.isprintable() or c in "\n\t")
    return items


def _taken(asset: Asset) -> str:
    """Without an offset it is the camera's local time, and XMP has a form for that."""
    if asset.taken_offset is None:
        return asset.taken_at.astimezone(UTC).replace(tzinfo=None).isoformat()
    return asset.taken_at.astimezone(timezone(timedelta(minutes=asset.taken_offset))).isoformat()


def _place(media: Mapping[str, str]) -> list[tuple[str, str]]:
    """Degrees and decimal minutes with the direction, as XMP's GPSCoordinate has it."""
    try:
        latitude, longitude = (float(media[name]) for name in PLACE)
    except (KeyError, ValueError):
        return []
    return [
        ("GPSLatitude", _coordinate(latitude, "NS")),
        ("GPSLongitude", _coordinate(longitude, "EW")),
    ]


def _coordinate(degrees: float, directions: str) -> str:
    whole, part = divmod(abs(degrees), 1)
    return f"{whole:.0f},{part * 60:.6f}{directions[degrees < 0]}"
