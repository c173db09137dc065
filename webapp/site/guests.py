"""What visitors leave at a photo: a favourite, a comment."""

from flask import g, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from infra.errors import Problem
from tenants import guests, news
from tenants.catalog import Album, Asset
from tenants.guests import Comment, Guest
from tenants.names import is_id
from tenants.news import NewsKind
from tenants.sharing import Action, may
from webapp.limits import limiter, visitor
from webapp.problems import prefers_page
from webapp.site import visitors
from webapp.site.blueprint import album_or_404, asset_or_404, site


@site.post("/a/<slug>/<asset_id>/favourite")
@limiter.limit("240 per minute", key_func=visitor)
def favourite(slug: str, asset_id: str) -> ResponseReturnValue:
    """`on` is 1 or 0. `{"on", "count"}` for scripts, back to the page for people."""
    album, asset = _there(slug, asset_id, Action.FAVOURITE)
    wanted = request.form.get("on") == "1"
    _writable()
    guest = visitors.guest_for(album, Action.FAVOURITE)[1]
    guests.set_favourite(g.site.session, guest, asset, wanted, now=g.site.now())
    count = len(guests.favourites(g.site.session, guest))
    address = f"/a/{album.slug}/{asset.id}"
    g.site.session.commit()
    if prefers_page():
        back = visitors.came_from(address)
        return redirect(back if back.startswith(address) else f"{back}#t-{asset_id}", 303)
    return jsonify(on=wanted, count=count)


@site.post("/a/<slug>/<asset_id>/comments")
@limiter.limit("10 per minute; 100 per hour", key_func=visitor)
def comment(slug: str, asset_id: str) -> ResponseReturnValue:
    album, asset = _there(slug, asset_id, Action.COMMENT)
    text = guests.clean_text(request.form.get("text", ""))
    _writable()
    guest = visitors.guest_for(album, Action.COMMENT)[1]
    written = guests.add_comment(g.site.session, guest, asset, text, now=g.site.now())
    news.tell(g.site.session, album, NewsKind.COMMENT, guest.name, text, now=g.site.now())
    address = f"/a/{album.slug}/{asset.id}#c-{written.id}"
    g.site.session.commit()
    return redirect(address, 303)


@site.post("/a/<slug>/<asset_id>/comments/<comment_id>/delete")
@limiter.limit("60 per minute", key_func=visitor)
def delete_comment(slug: str, asset_id: str, comment_id: str) -> ResponseReturnValue:
    """One's own."""
    album, asset = _there(slug, asset_id, Action.COMMENT)
    guest = visitors.guest_if_known(album, Action.COMMENT)
    found = g.site.session.get(Comment, (g.site.tenant_id, comment_id)) if is_id(comment_id) else None
    if guest is None or found is None or found.guest_id != guest.id or found.asset_id != asset.id:
        raise Problem("not-found")
    guests.forget(g.site.session, [found])
    g.site.session.commit()
    return redirect(f"/a/{slug}/{asset_id}#comments", 303)


def hearts(album: Album) -> set[str] | None:
    """Ids of the visitor's favourites; None where there are no hearts to be clicked."""
    if not may(g.viewer, Action.FAVOURITE, album):
        return None
    guest = visitors.guest_if_known(album, Action.FAVOURITE)
    return guests.favourites(g.site.session, guest) if guest is not None else set()


def comments(album: Album, asset: Asset) -> list[tuple[Comment, Guest]] | None:
    """What those read who may comment, and the members; None for everyone else."""
    if g.viewer.role is None and not may(g.viewer, Action.COMMENT, (album, asset)):
        return None
    found = guests.comments_on(g.site.session, asset)
    return found if found or may(g.viewer, Action.COMMENT, (album, asset)) else None


def own_comments(asset: Asset) -> set[str]:
    """Ids of the comments on the asset that this session wrote, and so may delete."""
    mine = [each.guest_id for each in g.passes if each.guest_id]
    wanted = select(Comment.id).where(Comment.asset_id == asset.id, Comment.guest_id.in_(mine))
    return set(g.site.session.scalars(wanted)) if mine else set()


def _there(slug: str, asset_id: str, action: Action) -> tuple[Album, Asset]:
    album = album_or_404(slug)
    return album, asset_or_404(album, asset_id, action)


def _writable() -> None:
    if not g.site.entitlements.writable:
        raise Problem("forbidden", _("This site is read-only at the moment: nothing can be changed."))
