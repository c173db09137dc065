"""Setting up the second factor of a member's sign-in, its recovery codes, and the end of it."""

import segno
from flask import g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from infra.errors import Problem
from infra.sql import reading
from tenants import two_factor as factors
from tenants.people import Member, Role
from tenants.scope import secret
from webapp import auth, entry
from webapp.dashboard import account_letters
from webapp.dashboard.account_forms import ChangeForm, SetUpForm
from webapp.dashboard.answers import say
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.language import told
from webapp.limits import limiter

NO_STORE = {"Cache-Control": "no-store"}
"""The secret and the codes are on these pages, once."""


@bp.route("/account/two-factor", methods=["GET", "POST"])
@limiter.limit("20 per hour", methods=["POST"])
@auth.require(Role.VIEWER)
def two_factor() -> ResponseReturnValue:
    if current_user.totp_sealed is not None:
        return _in_use()
    form = SetUpForm()
    # What is being set up is in the form alone, sealed, until the app has shown that it knows it.
    totp = factors.unseal(secret(), form.sealed.data or "") or factors.new_secret()
    if form.validate_on_submit():
        if not entry.knows_password(form.current.data):
            form.current.errors = [_("This is not your current password.")]
        else:
            try:
                codes = factors.enable(g.site.session, _me(), secret(), totp, form.code.data, now=g.site.now())
            except Problem as problem:
                g.site.session.rollback()
                form.code.errors = [told(problem)]
            else:
                _commit("two-factor.on")
                return _told(codes)
    form.sealed.data = factors.seal(secret(), totp)
    with reading():
        address = factors.address(totp, current_user, g.site.tenant.name)
        picture = segno.make(address, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")
        grouped = " ".join(totp[at : at + 4] for at in range(0, len(totp), 4))
        page = render_template("dashboard/two_factor.html", form=form, picture=picture, grouped=grouped)
    return page, 422 if form.errors else 200, NO_STORE


def _in_use() -> ResponseReturnValue:
    """New recovery codes; or the end of it, at `two_factor_off`."""
    form = ChangeForm()
    if form.validate_on_submit():
        if entry.knows_password(form.current.data):
            codes = factors.renew(g.site.session, _me())
            _commit("two-factor.renewed")
            return _told(codes)
        form.current.errors = [_("This is not your current password.")]
    return _settings(form)


@bp.post("/account/two-factor/off")
@limiter.limit("20 per hour")
@auth.require(Role.VIEWER)
def two_factor_off() -> ResponseReturnValue:
    form = ChangeForm()
    if form.validate_on_submit():
        if entry.knows_password(form.current.data):
            factors.disable(g.site.session, _me())
            _commit("two-factor.off")
            say(_("Signing in asks for the password alone from now on."))
            return redirect(url_for("dashboard.account"), 303)
        form.current.errors = [_("This is not your current password.")]
    return _settings(form)


def _settings(form: ChangeForm) -> ResponseReturnValue:
    with reading():
        left = factors.left(g.site.session, current_user)
        page = render_template("dashboard/two_factor_on.html", form=form, left=left)
    return page, 422 if form.errors else 200, NO_STORE


def _told(codes: list[str]) -> ResponseReturnValue:
    with reading():
        return render_template("dashboard/recovery_codes.html", codes=codes), 200, NO_STORE


def _commit(action: str) -> None:
    """What was done, with its entry in the log and a letter to the member."""
    note(action)
    account_letters.changed(_me(), action)
    g.site.session.commit()


def _me() -> Member:
    member: Member = g.site.session.get_one(Member, (g.site.tenant_id, current_user.id))
    return member
