"""Accepting an invitation. The address in the letter is all the authority that it needs."""

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from infra.sql import reading
from tenants import invitations, people
from tenants.invitations import Invitation
from webapp import entry
from webapp.dashboard.account_forms import JoinForm
from webapp.dashboard.answers import say
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.limits import limiter


@bp.route("/join/<token>", methods=["GET", "POST"])
@limiter.limit("60 per hour")
def join(token: str) -> ResponseReturnValue:
    form = JoinForm()
    if form.validate_on_submit():
        _invitation(token)
        g.site.session.rollback()  # Hashing takes long on purpose: not while holding SQLite's write lock.
        password_hash = people.hash_password(form.password.data)
        invitation = _invitation(token)
        member = invitations.accept(g.site.session, invitation, form.name.data, password_hash, now=g.site.now())
        member.signed_in_at = g.site.now()
        note("member.joined", by=member, about=str(member.email))
        entry.sign_in(member)
        say(_("Welcome. You are a member now."))
        return redirect(url_for("dashboard.albums"), 303)
    with reading():
        page = render_template("dashboard/join.html", form=form, invitation=_invitation(token))
    return page, 422 if request.method == "POST" else 200


def _invitation(token: str) -> Invitation:
    found = invitations.find(g.site.session, token, now=g.site.now())
    if found is None:
        raise Problem(
            "not-found", "This invitation is over or was withdrawn. Ask the people whose site this is for a new one."
        )
    return found
