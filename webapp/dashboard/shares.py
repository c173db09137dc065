"""Share links of an album."""

from io import BytesIO

import segno
from flask import Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from infra.errors import Problem
from infra.sql import reading
from tenants import audit, delivery, editing, purges, sharing, watermarks
from tenants.catalog import Album
from tenants.names import is_id
from tenants.people import Role
from tenants.scope import secret
from tenants.sharing import Rights, ShareLink
from tenants.statements import of_app
from webapp.auth import require
from webapp.dashboard import lookup
from webapp.dashboard.amounts import VISITS
from webapp.dashboard.answers import done, say
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.dashboard.share_form import ShareForm, shown

TOLD = ("rights", "expires_at", "max_visits", "asks_name")
"""What the audit log tells of a new link."""


@bp.route("/albums/<album_id>/share", methods=["GET", "POST"])
@require(Role.EDITOR)
def shares(album_id: str) -> ResponseReturnValue:
    form = ShareForm()
    if form.validate_on_submit():
        _create(album_id, form)
        say(_("The link is made. Copy it below and send it to them."))
        return redirect(url_for("dashboard.shares", album_id=album_id), 303)
    with reading():
        album = lookup.album_of(album_id)
        page = render_template(
            "dashboard/shares.html",
            album=album,
            form=form,
            links=_links(album),
            address=_address,
            now=g.site.now(),
            Rights=Rights,
            visits=of_app().visits(g.site, album.id, VISITS),
        )
    return page, 422 if form.errors else 200


def _create(album_id: str, form: ShareForm) -> None:
    with reading():
        lookup.album_of(album_id)
    g.site.session.rollback()
    hashes = form.secrets()
    album = lookup.album_of(album_id)
    link, _token = editing.share(g.site, album, **form.terms(g.site.now()), **hashes)
    note("share.made", album=album, about=link.label or album.title, **audit.told(link, TOLD))
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


@bp.route("/albums/<album_id>/share/<link_id>", methods=["GET", "POST"])
@require(Role.EDITOR)
def share_terms(album_id: str, link_id: str) -> ResponseReturnValue:
    """Change a link. It stays the same address; who has it sees the new terms at the next click."""
    with reading():
        album, link = _link(album_id, link_id)
        form = ShareForm(data=shown(link))
        if not form.validate_on_submit():
            page = render_template("dashboard/share_terms.html", album=album, form=form, link=link)
            return page, 422 if form.errors else 200
    g.site.session.rollback()
    hashes = form.secrets()
    album, link = _link(album_id, link_id)
    before, was = link.marks, audit.snapshot(link)
    for column, value in {**form.terms(g.site.now()), **hashes}.items():
        setattr(link, column, value)
    note("share.changed", album=album, about=link.label or album.title, was=was, row=link)
    if link.marks is not before:
        purges.close(g.site, delivery.by_link(link.id))
        g.site.session.flush()
        watermarks.ask(g.site)
    return done(_("The link is saved."), back=url_for("dashboard.shares", album_id=album_id))


@bp.get("/albums/<album_id>/share/<link_id>/qr.svg")
@require(Role.EDITOR)
def share_code(album_id: str, link_id: str) -> Response:
    """The address as a QR code (ISO/IEC 18004), to print or to hold up."""
    address = _address(_link(album_id, link_id)[1])
    if address is None:
        raise Problem("gone", _("The address of this link cannot be shown any more."))
    drawn = BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=8, border=4, light="#fff", nl=False)
    response = Response(drawn.getvalue(), content_type="image/svg+xml")
    response.headers["Cache-Control"] = "private, no-store"
    return response


@bp.post("/albums/<album_id>/share/<link_id>/revoke")
@require(Role.EDITOR)
def revoke(album_id: str, link_id: str) -> ResponseReturnValue:
    album, link = _link(album_id, link_id)
    editing.revoke(g.site, link)
    note("share.revoked", album=album, about=link.label or album.title)
    return done(_("The link no longer opens anything."), back=url_for("dashboard.shares", album_id=album_id))


def _link(album_id: str, link_id: str) -> tuple[Album, ShareLink]:
    """A link of the album that was not revoked."""
    album = lookup.album_of(album_id)
    link: ShareLink | None = g.site.session.get(ShareLink, (g.site.tenant_id, link_id)) if is_id(link_id) else None
    if link is None or link.album_id != album.id or link.revoked_at is not None:
        raise Problem("not-found")
    return album, link
