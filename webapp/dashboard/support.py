"""Letting support in, for a time, and seeing what it did; and the way in of support itself."""

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from flask_wtf import FlaskForm
from sqlalchemy.exc import IntegrityError
from werkzeug.wrappers import Response
from wtforms import RadioField

from infra.errors import N_, Problem
from infra.sql import reading
from tenants import support as access
from tenants.people import Role
from tenants.scope import secret
from tenants.support import HOURS, Supporter
from webapp import entry
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.forms import said
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.host import writing
from webapp.limits import limiter

DOES = {Role.VIEWER.value: N_("Look at everything"), Role.EDITOR.value: N_("Look, and change albums and photos")}
FOR = {1: N_("One hour"), 24: N_("One day"), 72: N_("Three days")}
SHOWN = 200
assert tuple(FOR) == HOURS


class SupportForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    role = RadioField(lazy("What they may do"), choices=said(DOES), default=Role.VIEWER.value)
    hours = RadioField(lazy("For how long"), choices=said(FOR), coerce=int, default=HOURS[0])


@bp.route("/support", methods=["GET", "POST"])
@require(Role.ADMIN)
def support() -> ResponseReturnValue:
    form = SupportForm()
    if form.validate_on_submit():
        made = access.grant(
            g.site.session,
            g.site.tenant_id,
            Role(form.role.data),
            form.hours.data,
            str(current_user.email),
            now=g.site.now(),
        )
        until = made.expires_at
        note("support.let", role=form.role.data, hours=form.hours.data)
        return done(
            _("Support can come in until %(time)s UTC.", time=f"{until:%Y-%m-%d %H:%M}"),
            back=url_for("dashboard.support"),
        )
    with reading():
        page = render_template(
            "dashboard/support.html",
            form=form,
            grant=access.live(g.site.session, g.site.now()),
            acts=access.acts(g.site.session, SHOWN),
            does=DOES,
        )
    return page, 422 if form.errors else 200


@bp.post("/support/end")
@require(Role.ADMIN)
def end_support() -> ResponseReturnValue:
    access.end_all(g.site.session, g.site.now())
    note("support.ended")
    return done(_("Support has no access any more."), back=url_for("dashboard.support"))


@bp.post("/support/enter")
@limiter.limit("30 per hour")
def enter_support() -> ResponseReturnValue:
    """From the operator's console: the pass in the form is what vouches for it, so it needs no token of a session here
    (`webapp.init_app`), and it opens once."""
    given = access.read(secret(), request.form.get("pass", ""), g.site.tenant_id)
    grant = access.find(g.site.session, g.site.tenant_id, given.grant, g.site.now()) if given else None
    if given is None or grant is None:
        raise Problem("forbidden", "This pass is over. Enter from the console again.")
    try:
        access.note(
            g.site.session,
            g.site.tenant_id,
            grant.id,
            given.who,
            "POST",
            request.path,
            now=g.site.now(),
            act=given.nonce,
        )
        g.site.session.commit()
    except IntegrityError:
        g.site.session.rollback()
        raise Problem("forbidden", "This pass was used. Enter from the console again.") from None
    entry.let_in(Supporter(grant, given.who))
    return redirect(url_for("dashboard.albums"), 303)


@bp.before_request
def _supporters_stay_out_of_accounts() -> None:
    if request.endpoint in _ACCOUNTS and entry.is_supporter():
        raise Problem("forbidden", "Support has no account here.")


_ACCOUNTS = frozenset(
    f"dashboard.{name}"
    for name in (
        *("account", "two_factor", "two_factor_off", "end_session", "sign_out_everywhere"),
        *("new_passkey", "begin_passkey", "add_passkey", "rename_passkey", "remove_passkey"),
    )
)


@bp.after_app_request
def _note_supporters(response: Response) -> Response:
    """Every page that they open and everything that they change; pictures and polls tell nothing more."""
    if "site" not in g or "support" not in g:
        return response
    told = request.method != "GET" or response.mimetype == "text/html"
    if told and request.endpoint not in ("dashboard.enter_support", "dashboard.sign_out"):
        with writing():
            access.note(
                g.site.session,
                g.site.tenant_id,
                g.support.id,
                g.support.who,
                request.method,
                request.path,
                now=g.site.now(),
            )
    return response
