"""A member's own account: the password, and where they are signed in."""

from flask import g, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from infra.errors import Problem
from infra.sql import reading
from tenants import passkeys, people, resetting, sessions, two_factor
from tenants.people import Member, Role
from webapp import auth, entry
from webapp.dashboard import account_letters, devices
from webapp.dashboard.account_forms import PasswordForm
from webapp.dashboard.answers import done, say
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.host import here
from webapp.limits import limiter


@bp.route("/account", methods=["GET", "POST"])
@limiter.limit("20 per hour", methods=["POST"])
@auth.require(Role.VIEWER)
def account() -> ResponseReturnValue:
    """A new password ends every other session of the member."""
    form = PasswordForm()
    if form.validate_on_submit():
        member_id = current_user.id
        if entry.knows_password(form.current.data):
            _change(member_id, people.hash_password(form.password.data))
            say(_("Your password is changed. Other devices are signed out."))
            if passkeys.of(g.site.session, current_user):
                say(_("Your passkeys still sign in. Remove those that you do not know."))
            return redirect(url_for("dashboard.account"), 303)
        form.current.errors = [_("This is not your current password.")]
    with reading():
        kept = [
            (each, devices.name(each.agent)) for each in sessions.of(g.site.session, current_user, now=g.site.now())
        ]
        left = two_factor.left(g.site.session, current_user)
        page = render_template(
            "dashboard/account.html",
            form=form,
            kept=kept,
            here=session.get("sid"),
            codes_left=left,
            passkeys=passkeys.of(g.site.session, current_user),
            host=here().host,
        )
    return page, 422 if form.errors else 200


@bp.post("/account/sessions/<session_id>/end")
@auth.require(Role.VIEWER)
def end_session(session_id: str) -> ResponseReturnValue:
    if not sessions.end(g.site.session, current_user, session_id):
        raise Problem("not-found")
    note("session.others")
    return done(_("That device is signed out."), back=url_for("dashboard.account"))


@bp.post("/account/sign-out-everywhere")
@auth.require(Role.VIEWER)
def sign_out_everywhere() -> ResponseReturnValue:
    """On every device but this one."""
    member: Member = g.site.session.get_one(Member, (g.site.tenant_id, current_user.id))
    sessions.end_all(g.site.session, member)
    note("session.others")
    entry.sign_in(member)
    return done(_("Every other device is signed out."), back=url_for("dashboard.account"))


def _change(member_id: str, password_hash: str) -> None:
    member: Member = g.site.session.get_one(Member, (g.site.tenant_id, member_id))
    resetting.choose(g.site.session, member, password_hash)
    note("password.changed")
    account_letters.changed(member, "password.changed")
    entry.sign_in(member)
