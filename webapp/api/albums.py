"""Albums."""

from typing import Any

from flask import Response, g, url_for
from sqlalchemy import select

from infra.errors import Problem
from tenants import editing
from tenants.api_tokens import Scope
from tenants.catalog import Album, Asset, Ordering, Visibility
from tenants.nesting import AlbumParent
from tenants.registry import Layout
from webapp.api import lookup
from webapp.api.answers import Document, check_version, dumped, empty, once, told
from webapp.api.blueprint import operation
from webapp.api.pages import Cursor, PageQuery, page
from webapp.api.shapes import AlbumChange, AlbumNew, AlbumOut, page_of
from webapp.host import origin

TAG = "Albums"
AlbumPage = page_of(AlbumOut, "AlbumPage")
_ENUMS = {"visibility": Visibility, "ordering": Ordering, "layout": Layout}


@operation("GET", "/albums", scope=Scope.ALBUMS_READ, tag=TAG, returns=AlbumPage, query=PageQuery)
def list_albums(query: dict[str, Any]) -> Response:
    """List albums, the newest first."""
    cursor = Cursor("albums")
    wanted = select(Album).where(Album.deleted_at.is_(None)).order_by(Album.id.desc()).limit(query["limit"] + 1)
    place = cursor.read(query["cursor"])
    if place is not None:
        wanted = wanted.where(Album.id < place[1])
    rows = g.site.session.scalars(wanted).all()
    return told(page(rows, query["limit"], lambda row: cursor.at(None, row.id), _documents))


@operation("POST", "/albums", scope=Scope.ALBUMS_WRITE, tag=TAG, returns=AlbumOut, status=201, takes=AlbumNew)
def create_album(body: dict[str, Any]) -> Response:
    """Create an album."""

    def make() -> tuple[Document, str]:
        fields = _columns(body)
        parent_id = fields.pop("parent_id", None)
        parent = editing.parent_named(g.site, parent_id) if parent_id else None
        album = editing.create_album(g.site, fields.pop("title"), parent=parent, **fields)
        return document(album), url_for("api.get_album", album_id=album.id)

    return once(make)


@operation("GET", "/albums/<album_id>", scope=Scope.ALBUMS_READ, tag=TAG, returns=AlbumOut)
def get_album(album_id: str) -> Response:
    """Read an album."""
    return told(document(lookup.album(album_id)))


@operation(
    "PATCH",
    "/albums/<album_id>",
    scope=Scope.ALBUMS_WRITE,
    tag=TAG,
    returns=AlbumOut,
    takes=AlbumChange,
    versioned=True,
    refuses=[409],
)
def change_album(body: dict[str, Any], album_id: str) -> Response:
    """Change an album. What is left out stays."""
    album = lookup.album(album_id, lock=True)
    check_version(document(album))
    changes = _columns(body)
    parent: Any = editing.UNSAID
    if "parent_id" in changes:
        parent_id = changes.pop("parent_id")
        parent = editing.parent_named(g.site, parent_id) if parent_id else None
    if (cover_id := changes.pop("cover_id", None)) is not None:
        editing.choose_cover(album, cover_of(album, cover_id))
    elif "cover_id" in body:
        album.cover_id = None
    editing.change_album(g.site, album, changes, parent=parent)
    g.site.session.flush()
    answer = document(album)
    g.site.session.commit()
    return told(answer)


@operation("DELETE", "/albums/<album_id>", scope=Scope.ALBUMS_WRITE, tag=TAG, status=204, versioned=True)
def delete_album(album_id: str) -> Response:
    """Move an album to the trash, from where the dashboard brings it back."""
    album = lookup.album(album_id, lock=True)
    check_version(document(album))
    editing.bin_album(g.site, album)
    g.site.session.commit()
    return empty()


def cover_of(album: Album, asset_id: str) -> Asset:
    asset = lookup.asset(asset_id)[1]
    if asset.album_id != album.id:
        raise Problem("not-found")
    return asset


def document(album: Album) -> Document:
    return _documents([album])[0]


def _documents(albums: Any) -> list[Document]:
    parents = select(AlbumParent.album_id, AlbumParent.parent_id).where(
        AlbumParent.album_id.in_([album.id for album in albums])
    )
    within = {row.album_id: row.parent_id for row in g.site.session.execute(parents)}
    return [dumped(AlbumOut, _told(album, within.get(album.id))) for album in albums]


def _told(album: Album, parent_id: str | None) -> dict[str, Any]:
    same = ("id", "title", "slug", "description", "originals", "capture", "place", "cover_id", "created_at")
    return {
        **{name: getattr(album, name) for name in same},
        "updated_at": album.updated_at,
        "visibility": album.visibility.value,
        "ordering": album.ordering.value,
        "layout": album.layout.value if album.layout else None,
        "watermark": album.marks,
        "parent_id": parent_id,
        "url": f"{origin()}/a/{album.slug}",
    }


def _columns(body: dict[str, Any]) -> dict[str, Any]:
    """The body's members as the album's columns take them."""
    return {
        name: _ENUMS[name](value) if name in _ENUMS and value is not None else value for name, value in body.items()
    }
