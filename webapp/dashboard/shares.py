"""Share links of an album."""

from datetime import timedelta

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from infra.errors import Problem
from tenants import delivery, purges, sharing
from tenants.catalog import Album
from tenants.names import is_id
from tenants.people import Role
from tenants.scope import secret
from tenants.sharing import Rights, ShareLink
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.answers import done, say
from webapp.dashboard.forms import ShareForm
from webapp.dashboard.mount import bp


@bp.route("/albums/<album_id>/share", methods=["GET", "POST"])
@require(Role.EDITOR)
def shares(album_id: str) -> ResponseReturnValue:
    form = ShareForm()
    if form.validate_on_submit():
        _create(album_id, form)
        say("The link is made. Copy it below and send it to them.")
        return redirect(url_for("dashboard.shares", album_id=album_id), 303)
    album = lookup.album_of(album_id)
    return render_template(
        "dashboard/shares.html", album=album, form=form, links=_links(album), address=_address, now=g.site.now()
    ), 422 if form.errors else 200


def _create(album_id: str, form: ShareForm) -> None:
    days = form.lifetime.data
    sharing.create_link(
        g.site.session,
        lookup.album_of(album_id),
        secret(),
        now=g.site.now(),
        rights=Rights(form.rights.data),
        password=form.password.data or None,
        expires_at=g.site.now() + timedelta(days=days) if days else None,
        label=form.label.data,
    )
    g.site.session.commit()


def _links(album: Album) -> list[ShareLink]:
    """Newest first, the revoked ones left out: nothing brings them back."""
    wanted = select(ShareLink).where(ShareLink.album_id == album.id, ShareLink.revoked_at.is_(None))
    return list(g.site.session.scalars(wanted.order_by(ShareLink.id.desc())))


def _address(link: ShareLink) -> str | None:
    """The link to copy; None when the server's secret was changed since, which the stored hash tells."""
    token = sharing.token_of(secret(), link.id)
    if not sharing.is_token_of(link, token):
        return None
    return f"{request.host_url}s/{token}"


@bp.post("/albums/<album_id>/share/<link_id>/revoke")
@require(Role.EDITOR)
def revoke(album_id: str, link_id: str) -> ResponseReturnValue:
    album = lookup.album_of(album_id)
    link = g.site.session.get(ShareLink, (g.site.tenant_id, link_id)) if is_id(link_id) else None
    if link is None or link.album_id != album.id or link.revoked_at is not None:
        raise Problem("not-found")
    link.revoked_at = g.site.now()
    purges.close(g.site, delivery.by_link(link.id))
    return done("The link no longer opens anything.", back=url_for("dashboard.shares", album_id=album_id))
