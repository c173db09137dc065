"""The blueprint that the operator's views hang on, who gets through, and how what they do is written down."""

from datetime import datetime

from flask import Blueprint, Response, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address

from infra.errors import Problem
from infra.sql import reading
from tenants import abuse, operator_log
from tenants.db import across_tenants, db
from tenants.operator_log import Actor
from tenants.scope import ports
from webapp.host import on_own_host

bp = Blueprint("operator", __name__, url_prefix="/operator")

_FOR_EVERYBODY = frozenset({"operator.enter", "operator.leave"})


@bp.before_request
def _operators_only() -> ResponseReturnValue | None:
    if not on_own_host():
        raise Problem("not-found")
    if request.endpoint not in _FOR_EVERYBODY and not signed_in():
        return redirect(url_for("operator.enter"), 303)
    return None


@bp.after_request
def _keep_nothing(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def signed_in() -> str:
    """Whose session it is; empty for nobody's."""
    until, who = session.get("operator") or (0, "")
    return str(who) if now().timestamp() < until else ""


def now() -> datetime:
    return ports().clock.now()


def actor(who: str = "") -> Actor:
    return Actor(who or signed_in(), get_remote_address(), request.user_agent.string)


def note(action: str, *, tenant: str | None = None, subject: str = "", **detail: object) -> None:
    """Write it down, in the transaction that does it."""
    operator_log.write(db.session(), actor(), action, now=now(), tenant=tenant, subject=subject, detail=detail)


def done(message: str, back: str) -> ResponseReturnValue:
    """Commit, and say so on the next page."""
    db.session.commit()
    flash(message)
    return redirect(back, 303)


def reason() -> str:
    """Why somebody does what cannot be taken back lightly: whoever reads the log later wants to know."""
    given = request.form.get("reason", "").strip()
    if len(given) < 3:
        raise Problem("invalid", "Say why, in a few words: the log keeps it.", field="reason")
    return given[:500]


@bp.app_template_global()
def open_reports() -> int:
    """For the number beside the word in the bar."""
    session_ = db.session()
    with reading(), across_tenants(session_, "how many reports wait"):
        return abuse.waiting(session_)
