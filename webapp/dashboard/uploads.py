"""Tickets for the upload host."""

from flask import g, jsonify
from flask.typing import ResponseReturnValue
from flask_login import current_user

from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.ticket import offer


@bp.post("/albums/<album_id>/ticket")
@require(Role.EDITOR)
def ticket(album_id: str) -> ResponseReturnValue:
    """`{"endpoint", "ticket", "expires", "max_bytes"}`: where to upload into this album, with what, until when.

    `expires` is epoch seconds. The page asks again shortly before.
    """
    album = lookup.album_of(album_id)
    made = offer(album, member=current_user.id)
    note("upload.started", album=album)
    g.site.session.commit()
    response = jsonify(
        endpoint=made.endpoint,
        ticket=made.ticket,
        expires=int(made.expires_at.timestamp()),
        max_bytes=made.max_bytes,
    )
    response.headers["Cache-Control"] = "no-store"
    return response
