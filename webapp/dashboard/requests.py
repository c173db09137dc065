"""Requests of people who are in a photo and want it hidden."""

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from infra.errors import Problem
from infra.sql import reading
from tenants import hiding, purges
from tenants.catalog import Asset
from tenants.hiding import HideRequest
from tenants.names import is_id
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard import queries
from webapp.dashboard.answers import done
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note


@bp.get("/requests")
@require(Role.EDITOR)
def hide_requests() -> ResponseReturnValue:
    session = g.site.session
    waiting = hiding.listed(session, is_open=True)
    answered = hiding.listed(session, is_open=False, limit=50)
    queries.load_pictures(session, [asset for _request, asset, _album in (*waiting, *answered)])
    return render_template("dashboard/requests.html", waiting=waiting, answered=answered)


@bp.post("/requests/<hide_id>")
@require(Role.EDITOR)
def answer_hide(hide_id: str) -> ResponseReturnValue:
    """`do` is `hide`, or `refuse` with a `reason`."""
    wish, asset = _asked(hide_id)
    do = request.form.get("do", "")
    if do not in ("hide", "refuse"):
        raise Problem("invalid", "Hide the photo, or refuse.", field="do")
    hiding.answer(
        g.site.session,
        wish,
        hide=do == "hide",
        reason=request.form.get("reason", ""),
        by=str(current_user.email),
        now=g.site.now(),
    )
    if do == "hide":
        purges.close_album(g.site, asset.album_id)
        note("request.hidden", about=asset.filename)
        undo = url_for("dashboard.undo_hide", hide_id=hide_id)
        return done(_("Nobody sees the photo any more."), back=url_for("dashboard.hide_requests"), undo=undo)
    note("request.refused", about=asset.filename, reason=wish.reason)
    return done(_("The request is refused. The photo stays."), back=url_for("dashboard.hide_requests"))


@bp.post("/requests/<hide_id>/undo")
@require(Role.EDITOR)
def undo_hide(hide_id: str) -> ResponseReturnValue:
    wish, asset = _asked(hide_id)
    hiding.show_again(g.site.session, wish)
    note("request.undone", about=asset.filename)
    return done(_("The photo is shown again."), back=url_for("dashboard.hide_requests"))


@bp.app_template_global()
def open_hide_requests() -> int:
    """For the number beside the link."""
    with reading():
        return hiding.count_open(g.site.session)


def _asked(hide_id: str) -> tuple[HideRequest, Asset]:
    tenant_id = g.site.tenant_id
    found = g.site.session.get(HideRequest, (tenant_id, hide_id)) if is_id(hide_id) else None
    if found is None:
        raise Problem("not-found")
    return found, g.site.session.get_one(Asset, (tenant_id, found.asset_id))
