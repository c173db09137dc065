"""What pages tell other machines of themselves: canonical address, previews (Open Graph, Twitter card), oEmbed
discovery and structured data (schema.org, JSON-LD). Private albums tell nothing, and no page tells where a photo was
taken."""

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import quote

from flask import current_app, g
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from tenants.catalog import Album
from webapp import canonical
from webapp.brand.card import CONTENT_TYPE, SIZE
from webapp.site.brand import card_url
from webapp.site.renditions import Picture
from webapp.site.tiles import Tile, Tiles

CARD = Picture("card.jpg", CONTENT_TYPE, *SIZE)
LISTED = 12
"""Photos that a gallery's structured data names: enough for search engines to see what it is."""

Data = dict[str, Any]


@dataclass(frozen=True)
class Preview:
    """`picture` is shown by link previews, `video` is the address of a player; `data` is a JSON-LD document, written so
    that it may stand in HTML."""

    url: str
    title: str
    description: str
    image: str | None
    picture: Picture | None
    video: str | None
    data: Markup

    def oembed(self, form: str) -> str:
        return f"{canonical.origin()}/oembed?url={quote(self.url, safe='')}&format={form}"


def of_album(album: Album, cover: Tile | None, tiles: Tiles) -> Preview | None:
    if not canonical.is_open(album):
        return None
    picture = canonical.preview(cover) if cover else None
    url, frame = canonical.album_url(album), canonical.frame_url(album)
    data: Data = {
        "@context": "https://schema.org",
        "@type": "ImageGallery",
        "name": album.title,
        "url": url,
        "author": _author(),
    }
    if album.description:
        data["description"] = album.description
    if cover and picture:
        data["image"] = canonical.picture_url(album, cover, picture)
    card = canonical.origin() + quote(str(card_url(album, cover)), safe="/?=")
    # The photos are written once for all pages with the same ones: their part of the document is ten times the rest.
    draw = partial(_media_of, url, frame, tiles)
    whole = Markup('%s,"associatedMedia":%s}') % (_written(data)[:-1], tiles.once("media", url, draw))
    return Preview(url, album.title, album.description, card, CARD, None, whole)


def _media_of(album_url: str, frame_url: str, tiles: Tiles) -> Markup:
    listed = islice((tile for tile in tiles if tile.renditions.widths.jpegs), LISTED)
    return _written([_media(album_url, frame_url, tile) for tile in listed])


def _written(data: Data | list[Data]) -> Markup:
    return htmlsafe_json_dumps(data, dumps=current_app.json.dumps)


def of_photo(album: Album, tile: Tile, label: str) -> Preview | None:
    picture = canonical.preview(tile)
    if not canonical.is_open(album) or picture is None:
        return None
    url, album_url = canonical.photo_url(album, tile.id), canonical.album_url(album)
    data = {
        "@context": "https://schema.org",
        **_media(album_url, canonical.frame_url(album), tile),
        "author": _author(),
        "isPartOf": {"@type": "ImageGallery", "name": album.title, "url": album_url},
    }
    video = canonical.frame_url(album, tile.id) if tile.is_video else None
    address = canonical.picture_url(album, tile, picture)
    return Preview(url, label, tile.caption, address, picture, video, _written(data))


def _media(album_url: str, frame_url: str, tile: Tile) -> Data:
    """An ImageObject or a VideoObject, of an album with these addresses."""
    stills = canonical.jpegs(tile)
    picture = canonical.preview_of(stills) or stills[-1]
    own_frame = f"{frame_url}/{tile.id}"
    address = f"{own_frame}/{picture.name}"
    common: Data = {"name": tile.caption or tile.filename, "url": f"{album_url}/{tile.id}"}
    if tile.caption:
        common["caption"] = common["description"] = tile.caption
    if tile.is_video:
        minutes, seconds = divmod(round(tile.duration or 0), 60)
        return {
            "@type": "VideoObject",
            **common,
            "thumbnailUrl": address,
            "uploadDate": tile.taken_at.isoformat(),
            "duration": f"PT{minutes}M{seconds}S",
            "embedUrl": own_frame,
        }
    return {
        "@type": "ImageObject",
        **common,
        "contentUrl": address,
        "thumbnailUrl": f"{own_frame}/{stills[0].name}",
        "width": picture.width,
        "height": picture.height,
    }


def _author() -> Data:
    return {"@type": "Organization", "name": g.site.tenant.name, "url": canonical.origin()}
