"""Signing in, by one factor or two, and out."""

from urllib.parse import urlsplit

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_limiter.util import get_remote_address
from flask_login import current_user
from sqlalchemy import select

from infra.errors import N_
from infra.sql import reading
from tenants import people, two_factor
from tenants.people import Member
from tenants.scope import secret
from webapp import entry
from webapp.dashboard.account_forms import CodeForm
from webapp.dashboard.answers import say
from webapp.dashboard.forms import SignIn
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.limits import limiter

WRONG = N_("The e-mail address and the password do not fit together.")
ATTEMPTS = "10 per 15 minutes"
"""Wrong ones, for one address from one place: guessing is slowed and nobody else is locked out."""
FEW_CODES = 3
ATTEMPTS_FROM_ONE_PLACE = "60 per 15 minutes"


def _address_and_place() -> str:
    address = request.form.get("email", "").strip().lower()[:254]
    return f"{g.site.tenant_id}:{get_remote_address()}:{address}"


def _refused(response: object) -> bool:
    return getattr(response, "status_code", 0) != 303


@bp.route("/sign-in", methods=["GET", "POST"])
@limiter.limit(ATTEMPTS, key_func=_address_and_place, methods=["POST"], deduct_when=_refused)
@limiter.limit(ATTEMPTS_FROM_ONE_PLACE, methods=["POST"], deduct_when=_refused)
def sign_in() -> ResponseReturnValue:
    target = safe_target(request.args.get("next", ""))
    form = SignIn()
    wrong = ""
    if form.validate_on_submit():
        member = _authenticated(form.email.data, form.password.data)
        if member is not None and member.totp_sealed is not None:
            entry.begin_half(member)
            return redirect(url_for("dashboard.second_step", next=target), 303)
        if member is not None:
            entry.sign_in(member)
            return redirect(target, 303)
        wrong = _(WRONG)
    elif request.method == "GET" and g.viewer.role is not None:
        return redirect(target, 303)
    with reading():
        deserted = g.site.session.scalar(select(Member.id).limit(1)) is None
        page = render_template("dashboard/sign_in.html", form=form, wrong=wrong, deserted=deserted)
    return page, 401 if wrong else 200


@bp.route("/sign-in/code", methods=["GET", "POST"])
@limiter.limit(ATTEMPTS, key_func=lambda: f"{g.site.tenant_id}:{entry.half()}", methods=["POST"])
def second_step() -> ResponseReturnValue:
    """The code of the second factor, after the password."""
    target = safe_target(request.args.get("next", ""))
    form = CodeForm()
    if not (member_id := entry.half()):
        return redirect(url_for("dashboard.sign_in", next=target), 303)
    if form.validate_on_submit():
        session = g.site.session
        member: Member | None = session.get(Member, (g.site.tenant_id, member_id))
        if member is not None and two_factor.passes(session, member, secret(), form.code.data, now=g.site.now()):
            note("session.confirmed", by=member)
            entry.sign_in(member)
            if (left := two_factor.left(session, member)) < FEW_CODES:
                say(_("You have %(left)s recovery codes left. Make new ones in your account.", left=left))
            return redirect(target, 303)
        session.rollback()
        form.code.errors = [_("That code does not fit, or was used before.")]
    with reading():
        return render_template("dashboard/second_step.html", form=form), 401 if form.errors else 200


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    if current_user.is_authenticated and not entry.is_supporter():
        note("session.ended")
        g.site.session.commit()
    entry.sign_out()
    say(_("You are signed out."))
    return redirect(url_for("dashboard.sign_in"), 303)


def _authenticated(email: str, password: str) -> Member | None:
    """Checking a password takes long on purpose, so it is not done while holding SQLite's write lock."""
    session = g.site.session
    with reading():
        found = people.authenticate(session, email, password, now=g.site.now())
        learnt = (found.id, found.password_hash, found.signed_in_at) if found else None
        session.rollback()
    if learnt is None:
        return None
    member: Member | None = session.get(Member, (g.site.tenant_id, learnt[0]))
    if member is not None:
        member.password_hash, member.signed_in_at = learnt[1:]
        note("session.begun", by=member)
        session.commit()
    return member


def safe_target(target: str) -> str:
    """A path on this very site, else the dashboard: a link to the sign-in page must not lead elsewhere."""
    parts = urlsplit(target)
    plain = target.isascii() and target.isprintable() and "\\" not in target
    if plain and not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith("//"):
        return target
    return url_for("dashboard.albums")
