"""Share links: an address that opens one album, perhaps with a password, perhaps until a date."""

from flask import g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import update

from infra.errors import Problem
from infra.sql import reading
from tenants import catalog, sharing
from tenants.catalog import Album
from tenants.sharing import ShareLink
from webapp import auth
from webapp.host import SAFE_METHODS, writing
from webapp.limits import limiter, visitor_and_link
from webapp.site.blueprint import site


@site.route("/s/<token>", methods=["GET", "POST"])
@limiter.limit("10 per minute; 60 per hour", key_func=visitor_and_link, methods=["POST"])
def share(token: str) -> ResponseReturnValue:
    """Opens the album for this session and goes there; asks for the password first if there is one."""
    with reading():  # Checking a password takes a while: not with the write lock held.
        link, album = _live_link(token)
    if auth.holds(link):
        return redirect(f"/a/{album.slug}", 303)
    if request.method in SAFE_METHODS:
        if link.password_hash is not None:
            return _form(album)
    elif not sharing.opens(link, request.form.get("password", "")):
        return _form(album, wrong=True), 422
    return _enter(link, album.slug)


def _live_link(token: str) -> tuple[ShareLink, Album]:
    """Raises 404 for a token that never was, here at least, and 410 for one whose time is over, however it ended."""
    link = sharing.find_link(g.site.session, token)
    if link is None:
        raise Problem("not-found", "This link is not complete, or not right. Ask whoever sent it for a new one.")
    album = catalog.album_by_id(g.site.session, g.site.tenant_id, link.album_id)
    if album is None or not link.is_live(g.site.now()):
        raise Problem("gone", "This link is no longer valid. Ask whoever sent it for a new one.")
    return link, album


def _form(album: Album, *, wrong: bool = False) -> str:
    # The title is what the sender chose to share; nothing else of the album is shown before the password.
    return render_template("site/password.html", album=album, wrong=wrong)


def _enter(link: ShareLink, slug: str) -> ResponseReturnValue:
    auth.open_share(link)
    link_id, tenant_id = link.id, link.tenant_id
    if request.method != "HEAD":
        with writing():
            g.site.session.execute(
                update(ShareLink)
                .where(ShareLink.tenant_id == tenant_id, ShareLink.id == link_id)
                .values(visits=ShareLink.visits + 1)
                .execution_options(synchronize_session=False)
            )
    return redirect(f"/a/{slug}", 303)
