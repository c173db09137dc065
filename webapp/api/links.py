"""Share links of an album."""

from collections.abc import Sequence
from typing import Any

from flask import Response, g, url_for
from sqlalchemy import select

from infra.errors import N_, Problem
from infra.sql import reading
from tenants import editing, sharing
from tenants.api_tokens import Scope
from tenants.people import hash_password
from tenants.scope import secret
from tenants.sharing import Rights, ShareLink
from webapp.api import lookup
from webapp.api.answers import Document, dumped, empty, once, told
from webapp.api.blueprint import operation
from webapp.api.pages import Cursor, PageQuery, page
from webapp.api.shapes import RIGHTS, LinkNew, LinkOut, page_of
from webapp.host import origin

TAG = "Share links"
LinkPage = page_of(LinkOut, "ShareLinkPage")
_SAME = (
    *("id", "album_id", "label", "asks_name", "expires_at", "visits", "max_visits", "last_visit_at"),
    *("choose_at_most", "upload_files", "upload_bytes", "marks", "created_at"),
)


@operation("GET", "/albums/<album_id>/share-links", scope=Scope.SHARES_READ, tag=TAG, returns=LinkPage, query=PageQuery)
def list_share_links(query: dict[str, Any], album_id: str) -> Response:
    """List an album's share links, the newest first, without those that were revoked."""
    album = lookup.album(album_id)
    cursor = Cursor("links", album.id)
    wanted = select(ShareLink).where(ShareLink.album_id == album.id, ShareLink.revoked_at.is_(None))
    place = cursor.read(query["cursor"])
    if place is not None:
        wanted = wanted.where(ShareLink.id < place[1])
    rows = g.site.session.scalars(wanted.order_by(ShareLink.id.desc()).limit(query["limit"] + 1)).all()
    return told(page(rows, query["limit"], lambda row: cursor.at(None, row.id), _documents))


@operation(
    "POST",
    "/albums/<album_id>/share-links",
    scope=Scope.SHARES_WRITE,
    tag=TAG,
    returns=LinkOut,
    status=201,
    takes=LinkNew,
)
def create_share_link(body: dict[str, Any], album_id: str) -> Response:
    """Create a share link."""
    with reading():
        lookup.album(album_id)
    g.site.session.rollback()
    if body["expires_at"] is not None and body["expires_at"] <= g.site.now():
        raise Problem("invalid", N_("That is over already. Choose a later time."), field="expires_at")
    terms = _terms(body)  # Hashing takes long on purpose: not within a transaction.

    def make() -> tuple[Document, str]:
        link, _ = editing.share(g.site, lookup.album(album_id), **terms)
        return document(link), url_for("api.get_share_link", link_id=link.id)

    return once(make)


@operation("GET", "/share-links/<link_id>", scope=Scope.SHARES_READ, tag=TAG, returns=LinkOut)
def get_share_link(link_id: str) -> Response:
    """Read a share link."""
    return told(document(lookup.link(link_id)))


@operation("DELETE", "/share-links/<link_id>", scope=Scope.SHARES_WRITE, tag=TAG, status=204)
def revoke_share_link(link_id: str) -> Response:
    """Revoke a share link for good. Nothing of it can be edited here, so no version is asked for."""
    editing.revoke(g.site, lookup.link(link_id))
    g.site.session.commit()
    return empty()


def document(link: ShareLink) -> Document:
    rights = link.rights
    token = sharing.token_of(secret(), link.id)
    return dumped(
        LinkOut,
        {
            **{name: getattr(link, name) for name in _SAME},
            "rights": [name for name, right in RIGHTS.items() if right in rights],
            "has_password": link.password_hash is not None,
            "has_pin": link.pin_hash is not None,
            "url": f"{origin()}/s/{token}" if sharing.is_token_of(link, token) else None,
        },
    )


def _documents(links: Sequence[ShareLink]) -> list[Document]:
    return [document(link) for link in links]


def _terms(body: dict[str, Any]) -> dict[str, Any]:
    rights = Rights.VIEW
    for name in body["rights"]:
        rights |= RIGHTS[name]
    password, pin = body["password"], body["pin"]
    same = ("label", "asks_name", "expires_at", "max_visits", "choose_at_most", "upload_files", "upload_bytes", "marks")
    return {
        **{name: body[name] for name in same},
        "rights": rights,
        "password_hash": hash_password(password) if password else None,
        "pin_hash": sharing.hash_pin(pin) if pin else None,
    }
