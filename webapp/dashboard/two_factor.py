"""Setting up the second factor of a member's sign-in, its recovery codes, and the end of it."""

from collections.abc import Callable

import segno
from flask import g, make_response, redirect, render_template, url_for
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
                return _told(codes, "two-factor.on")
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
            return _told(codes, "two-factor.renewed")
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
            say(_("Signing in asks for the password alone from now on."))
            return _noted("two-factor.off", lambda: redirect(url_for("dashboard.account"), 303))
        form.current.errors = [_("This is not your current password.")]
    return _settings(form)


def _settings(form: ChangeForm) -> ResponseReturnValue:
    with reading():
        left = factors.left(g.site.session, current_user)
        page = render_template("dashboard/two_factor_on.html", form=form, left=left)
    return page, 422 if form.errors else 200, NO_STORE


def _told(codes: list[str], action: str) -> ResponseReturnValue:
    def page() -> ResponseReturnValue:
        with reading():
            return render_template("dashboard/recovery_codes.html", codes=codes), 200, NO_STORE

    return _noted(action, page)


def _noted(action: str, answer: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Commit what was done, with its entry in the log, and write the member of it."""
    note(action)
    letter = account_letters.changed(_me(), action)
    g.site.session.commit()
    return account_letters.after(make_response(answer()), letter)


def _me() -> Member:
    member: Member = g.site.session.get_one(Member, (g.site.tenant_id, current_user.id))
    return member
