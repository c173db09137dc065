"""Arranging an album by hand."""

from flask import g, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from tenants import ordering
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.answers import album_url, done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note


@bp.post("/albums/<album_id>/arrange")
@require(Role.EDITOR)
def arrange(album_id: str) -> ResponseReturnValue:
    """Switch to manual order, beginning with the order of now."""
    album = lookup.album_of(album_id)
    ordering.arrange_by_hand(g.site.session, album)
    note("album.arranged", album=album)
    return done(_("You arrange this album by hand now."), back=album_url(album_id))


@bp.post("/albums/<album_id>/move")
@require(Role.EDITOR)
def move(album_id: str) -> ResponseReturnValue:
    """Put `id`s, in that order, behind `after`, or first if it is empty. 409 unless the order is manual.

    With `last` they go to the end of the album, with `before` right before that asset: the page may not have loaded
    what is at the album's end, or before its own first.
    """
    album = lookup.album_of(album_id)
    ids = request.form.getlist("id")
    after = request.form.get("after") or None
    if "last" in request.form:
        after = ordering.last_of(g.site.session, album, besides=ids)
    elif before := request.form.get("before"):
        after = ordering.before(g.site.session, album, before, besides=ids)
    ordering.move_assets(g.site.session, album, ids, after=after)
    album.updated_at = g.site.now()
    note("asset.reordered", album=album, count=len(ids))
    return done(_("Moved."), back=album_url(album_id), ids=ids)
