"""Who forgot the password asks for a letter, and chooses another by the address in it.

Asking tells nobody who is a member: the answer is the same, and the letter is sent when it has been given.
"""

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from infra.sql import reading
from tenants import people, resetting
from tenants.people import Member
from tenants.scope import ports, secret
from webapp import canonical
from webapp.dashboard import account_letters
from webapp.dashboard.account_forms import AddressForm, NewPasswordForm
from webapp.dashboard.answers import say
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.limits import limiter

FROM_ONE_PLACE, TO_ONE_ADDRESS = "20 per hour", "5 per hour"


def _address() -> str:
    return f"{g.site.tenant_id}:{request.form.get('email', '').strip().lower()[:254]}"


@bp.route("/forgotten", methods=["GET", "POST"])
@limiter.limit(FROM_ONE_PLACE, methods=["POST"])
@limiter.limit(TO_ONE_ADDRESS, key_func=_address, methods=["POST"])
def forgotten() -> ResponseReturnValue:
    form = AddressForm()
    asked = form.email.data if form.validate_on_submit() else ""
    with reading():
        member = people.by_email(g.site.session, asked) if asked else None
        if member is not None:
            account_letters.way_back(member, _way(member))
        delivers = ports().mail.delivers
        page = render_template("dashboard/forgotten.html", form=form, asked=asked, delivers=delivers)
        g.site.session.rollback()
    return page, 422 if form.errors else 200


@bp.route("/reset/<token>", methods=["GET", "POST"])
@limiter.limit("60 per hour")
def reset_password(token: str) -> ResponseReturnValue:
    form = NewPasswordForm()
    if form.validate_on_submit():
        _whose(token)
        g.site.session.rollback()  # Hashing takes long on purpose: not while holding SQLite's write lock.
        password_hash = people.hash_password(form.password.data)
        member = _whose(token)
        resetting.choose(g.site.session, member, password_hash)
        note("password.reset", by=member)
        account_letters.changed(member, "password.reset")
        g.site.session.commit()
        say(_("Your password is changed. Sign in with the new one."))
        return redirect(url_for("dashboard.sign_in"), 303)
    with reading():
        page = render_template("dashboard/reset.html", form=form, member=_whose(token))
    return page, 422 if form.errors else 200, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def _way(member: Member) -> str:
    token = resetting.token(secret(), member, now=g.site.now())
    return canonical.origin() + url_for("dashboard.reset_password", token=token)


def _whose(token: str) -> Member:
    member = resetting.find(g.site.session, g.site.tenant_id, secret(), token, now=g.site.now())
    if member is None:
        raise Problem("not-found", "This address is over or was used. Ask for a new letter where you sign in.")
    return member
