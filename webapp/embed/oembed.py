"""oEmbed 1.0 (https://oembed.com): what an address of this tenant looks like in other sites' pages.

`rich` for albums, `photo` and `video` for single ones. 400 without an address, 401 for a private album, 404 for what is
none of ours, 501 for another format than JSON and XML. Everyone gets the same answer, whoever is signed in. That 401 is
not 404 tells that a private album has this address; the specification wants it so, and guessing is slow (`limiter`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit
from xml.etree import ElementTree as ET

from flask import Response, g, jsonify, render_template, request

from infra.errors import Problem
from tenants import catalog, domains
from tenants.catalog import Album
from tenants.embeds import by_key
from tenants.scope import settings
from webapp import canonical
from webapp.embed.blueprint import embed, nobody, tile_for
from webapp.limits import limiter
from webapp.site.albums import cards
from webapp.site.renditions import Picture
from webapp.site.tiles import Tile

CACHE_SECONDS = 3600
ALBUM_SIZE = (800, 600)
VIDEO_WIDTH = 1280

Answer = dict[str, str | int]


@dataclass(frozen=True)
class Box:
    """The consumer's maxwidth and maxheight; what it does not name is without bound."""

    width: int
    height: int

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """The largest size of that shape that fits, no larger than it is."""
        share = min(1.0, self.width / width, self.height / height)
        return max(1, int(width * share)), max(1, int(height * share))

    def clip(self, width: int, height: int) -> tuple[int, int]:
        return min(width, self.width), min(height, self.height)


@embed.get("/oembed")
@limiter.limit("300 per minute")
def oembed() -> Response:
    write = _format()
    answer = _describe(_own_address(), Box(_bound("maxwidth"), _bound("maxheight")))
    common: Answer = {
        "version": "1.0",
        "provider_name": g.site.tenant.name,
        "provider_url": canonical.origin(),
        "cache_age": CACHE_SECONDS,
    }
    response = write({**common, **answer})
    response.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
    response.headers["Access-Control-Allow-Origin"] = "*"  # Editors ask from the browser.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _format() -> Callable[[Answer], Response]:
    write = FORMATS.get(request.args.get("format", "json"))
    if write is None:
        raise Problem("not-implemented", "The formats are json and xml.")
    return write


def _bound(name: str) -> int:
    """Raises `Problem` for what is no positive whole number."""
    given = request.args.get(name, "")
    if not given:
        return 1 << 30
    if not (given.isascii() and given.isdigit() and int(given[:9]) > 0):
        raise Problem("bad-request", "%(name)s is a number of pixels.", values={"name": name})
    return int(given[:9])


def _own_address() -> list[str]:
    """The path's segments. Raises `Problem` unless the address is on one of this tenant's hosts."""
    given = request.args.get("url", "")
    if not given:
        raise Problem("bad-request", "Name the address of an album or a photo: /oembed?url=…")
    try:
        parts: SplitResult = urlsplit(given)
        tenant = domains.resolve(g.site.session, parts.netloc, settings().base_domain)
    except ValueError:
        tenant = None
    if tenant is None or tenant.id != g.site.tenant_id or parts.scheme not in ("http", "https"):
        raise Problem("not-found", "That is not an address of this site.")
    return [unquote(segment) for segment in parts.path.strip("/").split("/")]


def _describe(path: list[str], box: Box) -> Answer:
    match path:
        case ["embed", key] | ["embed", key, _] if key.startswith("~"):
            return _granted(key[1:], "/".join(path), box)
        case ["a" | "embed", slug]:
            return _album(_open(slug), box)
        case ["a" | "embed", slug, asset_id]:
            album = _open(slug)
            return _single(album, tile_for(nobody(), album, asset_id), box)
    raise Problem("not-found", "Only albums and photos can be embedded.")


def _open(slug: str) -> Album:
    album = catalog.album_by_slug(g.site.session, slug)
    if album is None:
        raise Problem("not-found")
    if not canonical.is_open(album):
        raise Problem("private", "This album is not public. Embed it with a grant from its dashboard.")
    return album


def _album(album: Album, box: Box) -> Answer:
    width, height = box.clip(*ALBUM_SIZE)
    (card,) = cards([album])
    answer: Answer = {
        "type": "rich",
        "title": album.title,
        "width": width,
        "height": height,
        "html": _iframe(canonical.frame_url(album), album.title, width, height),
    }
    return {**answer, **(_thumbnail(album, card.cover, box) if card.cover else {})}


def _granted(key: str, path: str, box: Box) -> Answer:
    """A frame by grant: nothing of the album is told, since nobody has shown yet where it will be embedded."""
    if by_key(g.site.session, key) is None:
        raise Problem("not-found")
    width, height = box.clip(*ALBUM_SIZE)
    html = _iframe(canonical.url(f"/{path}"), g.site.tenant.name, width, height)
    return {"type": "rich", "width": width, "height": height, "html": html}


def _single(album: Album, tile: Tile, box: Box) -> Answer:
    answer: Answer = {"title": tile.caption or album.title}
    if not tile.is_video:
        picture = _fitting(tile, box)
        width, height = box.fit(picture.width, picture.height)
        answer |= {"type": "photo", "url": canonical.picture_url(album, tile, picture)}
    else:
        shown = (tile.width or 16, tile.height or 9)
        width, height = Box(min(box.width, VIDEO_WIDTH), box.height).fit(*shown)
        address = canonical.frame_url(album, tile.id)
        answer |= {"type": "video", "html": _iframe(address, str(answer["title"]), width, height)}
    return {**answer, "width": width, "height": height, **_thumbnail(album, tile, box)}


def _fitting(tile: Tile, box: Box) -> Picture:
    """The widest that fits; the narrowest where none does, to be scaled by who shows it."""
    stills = canonical.jpegs(tile)
    fitting = [still for still in stills if still.width <= box.width and still.height <= box.height]
    return fitting[-1] if fitting else stills[0]


def _thumbnail(album: Album, tile: Tile, box: Box) -> Answer:
    if not canonical.jpegs(tile):
        return {}
    picture = _fitting(tile, Box(min(box.width, 640), box.height))
    width, height = box.fit(picture.width, picture.height)
    address = canonical.picture_url(album, tile, picture)
    return {"thumbnail_url": address, "thumbnail_width": width, "thumbnail_height": height}


def _iframe(address: str, title: str, width: int, height: int) -> str:
    return render_template("embed/iframe.html", address=address, title=title, width=width, height=height).strip()


def _as_json(answer: Answer) -> Response:
    return jsonify(answer)


def _as_xml(answer: Answer) -> Response:
    root = ET.Element("oembed")
    for name, value in answer.items():
        ET.SubElement(root, name).text = "".join(c for c in str(value) if c.isprintable() or c in "\n\t")
    text = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n' + ET.tostring(root, encoding="unicode")
    return Response(text, content_type="text/xml; charset=utf-8")


FORMATS: dict[str, Callable[[Answer], Response]] = {"json": _as_json, "xml": _as_xml}
