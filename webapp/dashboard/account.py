"""A member's own password."""

from flask import g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from infra.sql import reading
from tenants import people
from tenants.people import Member, Role
from webapp import auth
from webapp.dashboard.answers import say
from webapp.dashboard.forms import PasswordForm
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.limits import limiter


@bp.route("/account", methods=["GET", "POST"])
@limiter.limit("20 per hour", methods=["POST"])
@auth.require(Role.VIEWER)
def account() -> ResponseReturnValue:
    """A new password ends every other session of the member."""
    form = PasswordForm()
    if form.validate_on_submit():
        member_id, stored = current_user.id, current_user.password_hash
        g.site.session.rollback()  # Hashing takes long on purpose: not while holding SQLite's write lock.
        if people.verify_password(stored, form.current.data):
            _change(member_id, people.hash_password(form.password.data))
            say(_("Your password is changed. Other devices are signed out."))
            return redirect(url_for("dashboard.account"), 303)
        form.current.errors = [_("This is not your current password.")]
    with reading():
        return render_template("dashboard/account.html", form=form), 422 if form.errors else 200


def _change(member_id: str, password_hash: str) -> None:
    member: Member = g.site.session.get_one(Member, (g.site.tenant_id, member_id))
    member.password_hash = password_hash
    people.end_sessions(member)
    note("password.changed")
    g.site.session.commit()
    auth.sign_in(member)
