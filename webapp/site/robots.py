"""What search engines are told: what to leave alone, and which public albums there are."""

from xml.etree import ElementTree as ET

from flask import Response, g
from sqlalchemy import select

from tenants.catalog import Album, Visibility
from webapp import canonical
from webapp.site.blueprint import site

MOST = 50_000
"""What one file of the protocol takes (sitemaps.org); the newest albums, should there be more."""

CLOSED = ("/dashboard/", "/s/")
"""Not `/embed/`: previews fetch their pictures there, and those of some networks obey this file."""


@site.get("/robots.txt")
def robots() -> Response:
    """RFC 9309."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in CLOSED), f"Sitemap: {canonical.origin()}/sitemap.xml"]
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8", headers=_CACHE)


@site.get("/sitemap.xml")
def sitemap() -> Response:
    public = (
        select(Album.slug, Album.updated_at)
        .where(Album.tenant_id == g.site.tenant_id, Album.visibility == Visibility.PUBLIC, Album.deleted_at.is_(None))
        .order_by(Album.id.desc())
        .limit(MOST - 1)
    )
    root = ET.Element("urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9")
    ET.SubElement(ET.SubElement(root, "url"), "loc").text = f"{canonical.origin()}/"
    for slug, updated_at in g.site.session.execute(public):
        url = ET.SubElement(root, "url")
        ET.SubElement(url, "loc").text = canonical.url(f"/a/{slug}")
        ET.SubElement(url, "lastmod").text = updated_at.date().isoformat()
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")
    return Response(text, content_type="application/xml; charset=utf-8", headers=_CACHE)


_CACHE = {"Cache-Control": "public, max-age=3600"}
