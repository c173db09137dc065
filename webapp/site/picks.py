"""A visitor's favourites, and the selections that they make of them and hand in."""

from dataclasses import dataclass

from flask import g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from infra.sql import reading
from tenants import guests, news, proofing
from tenants.catalog import Album
from tenants.guests import Guest
from tenants.names import is_id
from tenants.news import NewsKind
from tenants.proofing import Selection
from tenants.sharing import Action, ShareLink, may
from webapp import language
from webapp.host import SAFE_METHODS
from webapp.limits import limiter, visitor
from webapp.site import listing, visitors
from webapp.site.blueprint import album_or_404, site
from webapp.site.tiles import Tile

MOST = 1000
"""Favourites that one page shows, and ids that one form may send."""


@dataclass(frozen=True)
class Desk:
    """What the page shows: the selections, the one that is being made (None: a new one), and what is to choose from."""

    selections: list[Selection]
    current: Selection | None
    tiles: list[Tile]
    chosen: set[str]
    at_most: int | None


@site.route("/a/<slug>/picks", methods=["GET", "POST"])
@limiter.limit("60 per minute", key_func=visitor, methods=["POST"])
def picks(slug: str) -> ResponseReturnValue:
    """`selection` is an id, or empty for a new one. `do=send` hands it in, which locks it."""
    if request.method in SAFE_METHODS:
        return _page(slug)
    try:
        return _save(slug)
    except Problem as problem:
        if problem.code != "invalid":
            raise
        g.site.session.rollback()
        with reading():
            return _page(slug, wrong=language.told(problem)), 422


def _page(slug: str, *, wrong: str = "") -> str:
    album = album_or_404(slug)
    link = visitors.pass_for(album, Action.FAVOURITE).link
    guest = visitors.guest_if_known(album, Action.FAVOURITE)
    asked = request.values.get("selection", "")
    return render_template(
        "site/picks.html",
        album=album,
        desk=_desk(album, link, guest, asked),
        may_select=may(g.viewer, Action.SELECT, album),
        wrong=wrong,
        done=request.args.get("done", ""),
        hearts=set(),
    )


def _desk(album: Album, link: ShareLink, guest: Guest | None, asked: str) -> Desk:
    session = g.site.session
    if guest is None:
        return Desk([], None, [], set(), link.choose_at_most)
    selections = proofing.of_guest(session, guest)
    current = next((each for each in selections if each.id == asked), None)
    chosen = proofing.chosen(session, current) if current else set()
    favourites = guests.favourites(session, guest)
    if request.method == "POST":
        chosen = _asked_for()
    shown = chosen if current and current.submitted_at else favourites | chosen
    tiles = listing.some(session, album, sorted(shown)[:MOST])
    tiles.sort(key=lambda tile: (tile.taken_at, tile.id))
    if current is None and request.method != "POST":
        chosen = favourites
    return Desk(selections, current, tiles, chosen, current.at_most if current else link.choose_at_most)


def _asked_for() -> set[str]:
    return {asset_id for asset_id in request.form.getlist("asset") if is_id(asset_id)}


def _save(slug: str) -> ResponseReturnValue:
    album = album_or_404(slug)
    if not g.site.entitlements.writable:
        raise Problem("forbidden", _("This site is read-only at the moment: nothing can be changed."))
    link, guest = visitors.guest_for(album, Action.SELECT)
    session, now = g.site.session, g.site.now()
    chosen = _asked_for()
    if len(chosen) > MOST:
        raise Problem("invalid", _("That is more than fits into one selection."))
    asked = request.form.get("selection", "")
    if asked:
        selection = session.get(Selection, (g.site.tenant_id, asked)) if is_id(asked) else None
        if selection is None or selection.guest_id != guest.id:
            raise Problem("not-found")
        if selection.submitted_at is None:
            selection.name = guests.clean_name(request.form.get("name", "")) or selection.name
    else:
        selection = proofing.begin(session, guest, request.form.get("name", ""), link.choose_at_most, now=now)
    proofing.choose(session, selection, sorted(chosen))
    done = "saved"
    if request.form.get("do") == "send":
        proofing.submit(session, selection, now=now)
        news.tell(session, album, NewsKind.SELECTION, guest.name, selection.name, now=now)
        done = "sent"
    address = f"/a/{album.slug}/picks?selection={selection.id}&done={done}"
    session.commit()
    return redirect(address, 303)
