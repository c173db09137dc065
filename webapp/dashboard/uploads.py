"""Tickets for the upload host."""

from datetime import timedelta

from flask import g, jsonify
from flask.typing import ResponseReturnValue
from flask_login import current_user

from tenants import quota, tickets
from tenants.people import Role
from tenants.scope import secret, settings
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note


@bp.post("/albums/<album_id>/ticket")
@require(Role.EDITOR)
def ticket(album_id: str) -> ResponseReturnValue:
    """`{"endpoint", "ticket", "expires", "max_bytes"}`: where to upload into this album, with what, until when.

    `expires` is epoch seconds. The page asks again shortly before.
    """
    album = lookup.album_of(album_id)
    most = _most()
    now, lifetime = g.site.now(), timedelta(seconds=settings().ticket_ttl)
    minted = tickets.mint(
        secret(),
        tenant=g.site.tenant_id,
        album=album.id,
        max_bytes=most,
        now=now,
        lifetime=lifetime,
        types=("*/*",),  # The content decides; files from folders often carry no type at all.
        member=current_user.id,
    )
    note("upload.started", album=album)
    g.site.session.commit()
    response = jsonify(
        endpoint=f"{settings().upload_url}/files/",
        ticket=minted,
        expires=int((now + lifetime).timestamp()),
        max_bytes=most,
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _most() -> int:
    """Bytes that a file may have: the plan's limit, or what is left of its storage. Raises 403 if nothing is."""
    left = quota.check(g.site)
    most: int = g.site.entitlements.max_upload_bytes
    return most if left is None else min(most, left)
