"""Share links: an address that opens one album, perhaps with a password, perhaps until a date."""

from datetime import timedelta

from flask import g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from infra.errors import Problem
from infra.sql import reading
from tenants import catalog, guessing, guests, people, sharing
from tenants.catalog import Album
from tenants.guessing import Guessed
from tenants.scope import secret
from tenants.sharing import ShareLink
from webapp import auth
from webapp.host import SAFE_METHODS, writing
from webapp.limits import limiter, visitor_and_link
from webapp.site.blueprint import album_or_404, site

ATTEMPTS = "60 per minute"
"""Whatever the answer: checking a password is work. What slows guessing down is `tenants/guessing.py`."""


@site.route("/s/<token>", methods=["GET", "POST"])
@limiter.limit(ATTEMPTS, key_func=visitor_and_link, methods=["POST"])
def share(token: str) -> ResponseReturnValue:
    """Opens the album for this session and goes there; asks for a password or a name first if the link wants one."""
    with reading():  # Checking a password takes a while: not with the write lock held.
        link, album = _live_link(token)
    slug, known = album.slug, auth.holds(link)
    if known and auth.is_named(link):
        return redirect(f"/a/{slug}", 303)
    asked = {"password": link.password_hash is not None and not known, "name": not auth.is_named(link)}
    if request.method in SAFE_METHODS:
        if any(asked.values()):
            return _form(album, asked)
    else:
        wrong = _wrong(link, asked)
        if wrong:
            with reading():
                return _form(_live_link(token)[1], asked, wrong), 422
    if request.method != "HEAD":
        _enter(link, known=known)
    return redirect(f"/a/{slug}", 303)


def _live_link(token: str) -> tuple[ShareLink, Album]:
    """Raises 404 for a token that never was, here at least, and 410 for one whose time is over, however it ended."""
    link = sharing.find_link(g.site.session, token)
    if link is None:
        raise Problem("not-found", _("This link is not complete, or not right. Ask whoever sent it for a new one."))
    album = catalog.album_by_id(g.site.session, g.site.tenant_id, link.album_id)
    if album is None or not link.is_live(g.site.now()):
        raise _over()
    return link, album


def _over() -> Problem:
    return Problem("gone", _("This link is no longer valid. Ask whoever sent it for a new one."))


def _form(album: Album, asked: dict[str, bool], wrong: dict[str, str] | None = None) -> str:
    # The title is what the sender chose to share; nothing else of the album is shown before the password.
    return render_template("site/password.html", album=album, asked=asked, wrong=wrong or {})


def _wrong(link: ShareLink, asked: dict[str, bool]) -> dict[str, str]:
    """What is the matter with the form, by field."""
    wrong = {}
    if asked["name"] and not guests.clean_name(request.form.get("name", "")):
        wrong["name"] = _("Please tell your name.")
    given = request.form.get("password", "")
    if asked["password"] and not is_right(link, Guessed.PASSWORD, given):
        wrong["password"] = _("That is not the password of this album.")
    return wrong


def is_right(link: ShareLink, what: Guessed, given: str) -> bool:
    """Whether the link's password or PIN is `given`. Raises 429 while this visitor's guesses cost them time."""
    with reading():
        stored = link.password_hash if what is Guessed.PASSWORD else link.pin_hash
    place = guessing.place(secret(), request.remote_addr)
    with writing():
        wait = guessing.book(g.site.session, link, what, place, now=g.site.now())
    if wait:
        raise Problem("rate-limited", _too_many(wait), headers={"Retry-After": str(_seconds(wait))})
    if not people.verify_password(stored, given):  # Takes long on purpose; no transaction is open now.
        return False
    with writing():
        guessing.forget(g.site.session, link, what, place)
    return True


def _too_many(wait: timedelta) -> str:
    seconds = _seconds(wait)
    if seconds <= 120:
        again = ngettext("Try again in %(num)d second.", "Try again in %(num)d seconds.", seconds)
    else:
        again = ngettext("Try again in %(num)d minute.", "Try again in %(num)d minutes.", -(-seconds // 60))
    return " ".join((_("There were too many wrong attempts from where you are."), again))


def _seconds(wait: timedelta) -> int:
    return max(1, -int(-wait.total_seconds() // 1))


def _enter(link: ShareLink, *, known: bool) -> None:
    """Count the visit, make the guest who gave a name, and let the session in. Raises 410 after the last visit."""
    name = request.form.get("name", "")
    guest_id = ""
    with writing():
        if not known and not sharing.count_visit(g.site.session, link, g.site.now()):
            raise _over()
        if not auth.is_named(link):
            guest_id = guests.create(g.site.session, link, name, now=g.site.now()).id
    with reading():
        auth.open_share(link, guest_id=guest_id)


@site.route("/a/<slug>/pin", methods=["GET", "POST"])
@limiter.limit(ATTEMPTS, methods=["POST"])
def pin(slug: str) -> ResponseReturnValue:
    """Asks for the PIN of a link that lets people look freely and download with a PIN only."""
    with reading():
        album = album_or_404(slug)
        links = [each.link for each in g.passes if each.link.album_id == album.id and each.wants_pin]
        address = f"/a/{album.slug}"
    if not links:
        return redirect(address, 303)
    if request.method in SAFE_METHODS:
        return render_template("site/pin.html", album=album, wrong=False)
    given = "".join(request.form.get("pin", "").split())
    right = [link for link in links if is_right(link, Guessed.PIN, given)]
    with reading():
        for link in right:
            auth.give_pin(link)
        if not right:
            return render_template("site/pin.html", album=album_or_404(slug), wrong=True), 422
    return redirect(address, 303)
