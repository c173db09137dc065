"""What an album's guests left: files that wait for approval, selections, favourites, comments."""

from typing import Any

from flask import Response, g, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from infra.errors import Problem
from tenants import bulk, contributions, guest_data, guests, proofing, purges
from tenants.catalog import Album
from tenants.guests import Comment, Guest
from tenants.names import is_id
from tenants.people import Role
from tenants.proofing import Selection
from webapp.auth import require
from webapp.dashboard import lookup, queries
from webapp.dashboard.answers import done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import named, note
from webapp.site.sending import disposition


@bp.get("/albums/<album_id>/guests")
@require(Role.EDITOR)
def album_guests(album_id: str) -> ResponseReturnValue:
    album, session = lookup.album_of(album_id), g.site.session
    waiting = contributions.waiting(session, album)
    comments = guests.comments_in(session, album)
    about = lookup.live_ones(album, {comment.asset_id for comment, _ in comments})
    queries.load_pictures(session, [*(asset for asset, _ in waiting), *about.values()])
    return render_template(
        "dashboard/guests.html",
        album=album,
        waiting=waiting,
        selections=proofing.of_album(session, album),
        everybody=guests.everybody(session, album),
        favourites=guests.guests_of(session, album),
        comments=comments,
        about=about,
    )


@bp.post("/albums/<album_id>/contributions")
@require(Role.EDITOR)
def judge(album_id: str) -> ResponseReturnValue:
    """`do` is `approve` or `reject`, `id`s are what guests added to this album."""
    approve = request.form.get("do") == "approve"
    album = lookup.album_of(album_id)
    found = lookup.assets_of(album, request.form.getlist("id"))
    action = "guests.approved" if approve else "guests.rejected"
    note(action, album=album, about=named([row.filename for row in found], len(found)), count=len(found))
    contributions.judge(g.site.session, found, approve=approve, now=g.site.now())
    if approve:
        said = ngettext("%(num)d file is in the album now.", "%(num)d files are in the album now.", len(found))
    else:
        said = ngettext("%(num)d file is in the trash.", "%(num)d files are in the trash.", len(found))
    return done(said, back=_page(album_id))


@bp.post("/albums/<album_id>/comments/<comment_id>/hide")
@require(Role.EDITOR)
def hide_comment(album_id: str, comment_id: str) -> ResponseReturnValue:
    """`hidden` is 1 or 0."""
    hidden = request.form.get("hidden") == "1"
    album, comment = _comment(album_id, comment_id)
    comment.hidden_at = g.site.now() if hidden else None
    note("comment.hidden" if hidden else "comment.shown", album=album, about=comment.text)
    said = _("Visitors no longer see the comment.") if hidden else _("Visitors see the comment again.")
    return done(said, back=_page(album_id))


@bp.post("/albums/<album_id>/comments/<comment_id>/delete")
@require(Role.EDITOR)
def delete_guest_comment(album_id: str, comment_id: str) -> ResponseReturnValue:
    album, comment = _comment(album_id, comment_id)
    note("comment.deleted", album=album, about=comment.text)
    guests.forget(g.site.session, [comment])
    return done(_("The comment is deleted."), back=_page(album_id))


@bp.post("/albums/<album_id>/selections/<selection_id>/reopen")
@require(Role.EDITOR)
def reopen(album_id: str, selection_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    selection = selection_of(album, selection_id)
    selection.submitted_at = None
    note("selection.reopened", album=album, about=selection.name)
    return done(_("“%(name)s” can be changed again.", name=selection.name), back=_page(album_id))


@bp.get("/albums/<album_id>/guests/<guest_id>/data")
@require(Role.EDITOR)
def guest_data_file(album_id: str, guest_id: str) -> Response:
    """All that is kept about a guest, as JSON: for who asks (GDPR, articles 15 and 20)."""
    album = lookup.album_of(album_id)
    guest = guest_of(album, guest_id)
    response = jsonify(guest_data.about(g.site.session, guest))
    response.headers["Content-Disposition"] = disposition(f"{guest.name or 'guest'}.json")
    return response


@bp.post("/albums/<album_id>/guests/<guest_id>/forget")
@require(Role.EDITOR)
def forget_guest(album_id: str, guest_id: str) -> ResponseReturnValue:
    """Everything under the guest's name goes for good, and with `files` what they added (GDPR, article 17)."""
    album = lookup.album_of(album_id)
    guest = guest_of(album, guest_id)
    ids = guest_data.uploaded(g.site.session, guest) if "files" in request.form else []
    counted = guest_data.erase(g.site.session, guest)
    bulk.remove(g.site.session, g.site.tenant_id, ids, now=g.site.now())
    if ids:
        purges.close_album(g.site, album.id)
    # Without the name: the log would be where it is still kept.
    note("guest.forgotten", album=album, count=sum(counted.values()), files=len(ids))
    return done(_("Everything of this guest is gone."), back=_page(album_id))


def selection_of(album: Album, selection_id: str) -> Selection:
    found: Selection | None = _get(Selection, selection_id)
    if found is None or found.album_id != album.id:
        raise Problem("not-found")
    return found


def guest_of(album: Album, guest_id: str) -> Guest:
    found: Guest | None = _get(Guest, guest_id)
    if found is None or found.album_id != album.id:
        raise Problem("not-found")
    return found


def _comment(album_id: str, comment_id: str) -> tuple[Album, Comment]:
    album = lookup.album_of(album_id)
    found: Comment | None = _get(Comment, comment_id)
    if found is None or found.album_id != album.id:
        raise Problem("not-found")
    return album, found


def _get(table: type, row_id: str) -> Any:
    return g.site.session.get(table, (g.site.tenant_id, row_id)) if is_id(row_id) else None


def _page(album_id: str) -> str:
    return url_for("dashboard.album_guests", album_id=album_id)
