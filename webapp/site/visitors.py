"""Who is at an album by a share link, and so may leave something there."""

from urllib.parse import urlsplit

from flask import g, request

from infra.errors import Problem
from tenants import guests
from tenants.catalog import Album
from tenants.guests import Guest
from tenants.sharing import Action, ShareLink, may, rights_for
from webapp import auth
from webapp.auth import Pass


def pass_for(album: Album, action: Action) -> Pass:
    """The pass by which this visitor may do that in the album: the latest if several would do. Raises 404."""
    if not may(g.viewer, action, album):
        raise Problem("not-found")
    found = _pass(album, action)
    if found is None:
        raise Problem("not-found")
    return found


def guest_if_known(album: Album, action: Action) -> Guest | None:
    """Who this visitor has been here so far, if anyone; None as well if they may not do that."""
    found = _pass(album, action)
    return guests.of_link(g.site.session, found.link, found.guest_id) if found else None


def _pass(album: Album, action: Action) -> Pass | None:
    passes: tuple[Pass, ...] = g.passes
    fitting = (each for each in reversed(passes) if each.link.album_id == album.id)
    return next((each for each in fitting if each.rights & rights_for(action)), None)


def guest_for(album: Album, action: Action) -> tuple[ShareLink, Guest]:
    """The guest, made now (without a name) where the link does not ask. To be committed by the caller."""
    found = pass_for(album, action)
    guest = guests.of_link(g.site.session, found.link, found.guest_id)
    if guest is None:
        guest = guests.create(g.site.session, found.link, "", now=g.site.now())
        auth.become(found.link, guest.id)
    return found.link, guest


def came_from(otherwise: str) -> str:
    """The path of our own page that the form was on."""
    parts = urlsplit(request.referrer or "")
    if parts.netloc != request.host or not parts.path.startswith("/a/"):
        return otherwise
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
