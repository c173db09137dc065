"""A member's passkeys: adding one, its name, and its end. The list is in the account (`account.py`)."""

from flask import g, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from infra.errors import Problem
from infra.sql import reading
from tenants import passkeys
from tenants.passkeys import NAME_LENGTH, Passkey
from tenants.people import Member, Role
from webapp import auth, entry
from webapp.dashboard import account_letters, devices
from webapp.dashboard.account_forms import PasskeyAddForm, PasskeyBeginForm, PasskeyNameForm
from webapp.dashboard.answers import done, first_error
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.host import here
from webapp.limits import limiter


@bp.get("/account/passkeys/new")
@auth.require(Role.VIEWER)
def new_passkey() -> ResponseReturnValue:
    form = PasskeyBeginForm()
    form.name.data = devices.name(request.user_agent.string)[:NAME_LENGTH]
    with reading():
        return render_template("dashboard/new_passkey.html", form=form, host=here().host)


@bp.post("/account/passkeys/begin")
@limiter.limit("20 per hour")
@auth.require(Role.VIEWER)
def begin_passkey() -> ResponseReturnValue:
    """For the page's script: what the browser is to make, once the password was right. Nothing is stored yet."""
    form = PasskeyBeginForm()
    if not form.validate_on_submit():
        raise first_error(form)
    if not entry.knows_password(form.current.data):
        raise Problem("invalid", "This is not your current password.", field="current")
    with reading():
        member_id, issuer = current_user.id, g.site.tenant.name
        made = passkeys.creation_options(g.site.session, _me(), issuer, here(), entry.challenge(member_id))
    return jsonify(made), 200, {"Cache-Control": "no-store"}


@bp.post("/account/passkeys")
@limiter.limit("20 per hour")
@auth.require(Role.VIEWER)
def add_passkey() -> ResponseReturnValue:
    form = PasskeyAddForm()
    if not form.validate_on_submit():
        raise first_error(form)
    challenge = entry.take_challenge(current_user.id)
    if challenge is None:
        raise Problem("invalid", "That took too long. Please try again.")
    passkey = passkeys.add(
        *(g.site.session, _me(), here(), challenge, form.credential.data),
        now=g.site.now(),
        name=form.name.data,
    )
    note("passkey.added", about=passkey.name, host=passkey.host)
    account_letters.changed(_me(), "passkey.added")
    return done(_("You can sign in with this passkey now."), back=url_for("dashboard.account"))


@bp.post("/account/passkeys/<passkey_id>/rename")
@auth.require(Role.VIEWER)
def rename_passkey(passkey_id: str) -> ResponseReturnValue:
    passkey = _passkey(passkey_id)
    form = PasskeyNameForm()
    if not form.validate_on_submit():
        raise first_error(form)
    note("passkey.renamed", about=form.name.data, before=passkey.name)
    passkey.name = form.name.data
    return done(_("The passkey is renamed."), back=url_for("dashboard.account"))


@bp.post("/account/passkeys/<passkey_id>/remove")
@auth.require(Role.VIEWER)
def remove_passkey(passkey_id: str) -> ResponseReturnValue:
    passkey = _passkey(passkey_id)
    note("passkey.removed", about=passkey.name, host=passkey.host)
    g.site.session.delete(passkey)
    account_letters.changed(_me(), "passkey.removed")
    return done(_("The passkey signs in no more. Delete it on your device as well."), back=url_for("dashboard.account"))


def _me() -> Member:
    member: Member = g.site.session.get_one(Member, (g.site.tenant_id, current_user.id))
    return member


def _passkey(passkey_id: str) -> Passkey:
    """The signed-in member's own."""
    passkey = passkeys.find(g.site.session, current_user, passkey_id)
    if passkey is None:
        raise Problem("not-found")
    return passkey
