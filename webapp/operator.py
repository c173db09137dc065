"""The operator's pages on the deployment's own host: what each tenant brings in and costs.

They tell of all tenants and belong to none, so no tenant's host has them and no member's session opens them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec

from flask import Blueprint, Flask, Response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_currency
from flask_babel import lazy_gettext as lazy
from flask_limiter.util import get_remote_address
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import DataRequired, Length

from infra.errors import Problem
from tenants import margins, operators
from tenants.db import db
from tenants.margins import Margins
from tenants.scope import ports, secret
from webapp.host import on_own_host
from webapp.limits import limiter

P = ParamSpec("P")
SIGNED_IN_FOR = timedelta(hours=8)
ATTEMPTS = "20 per 15 minutes"

bp = Blueprint("operator", __name__, url_prefix="/operator")


class CodeForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    code = PasswordField(lazy("Code"), [DataRequired(), Length(max=200)])


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.before_request
def _only_on_the_own_host() -> None:
    if not on_own_host():
        raise Problem("not-found")


def _signed_in() -> bool:
    until = session.get("operator", 0)
    return isinstance(until, int) and ports().clock.now().timestamp() < until


def operators_only(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        return view(*args, **kwargs) if _signed_in() else redirect(url_for("operator.enter"), 303)

    return guarded


@bp.route("/", methods=["GET", "POST"])
@limiter.limit(ATTEMPTS, key_func=get_remote_address, methods=["POST"])
def enter() -> ResponseReturnValue:
    """Asks for a code of `flask --app wsgi operator`."""
    form = CodeForm()
    now = ports().clock.now()
    wrong = False
    if form.validate_on_submit():
        if operators.is_good(secret(), form.code.data, now):
            session.clear()
            session["operator"] = int((now + SIGNED_IN_FOR).timestamp())
            return redirect(url_for("operator.margin"), 303)
        wrong = True
    elif request.method == "GET" and _signed_in():
        return redirect(url_for("operator.margin"), 303)
    return render_template("operator/enter.html", form=form, wrong=wrong), 401 if wrong else 200


@bp.post("/leave")
def leave() -> ResponseReturnValue:
    session.clear()
    return redirect(url_for("operator.enter"), 303)


@bp.get("/margin")
@operators_only
def margin() -> ResponseReturnValue:
    """Of the month that `month` names (`2026-02`), this one by default."""
    found = _found()
    now = ports().clock.now()
    before, after = found.start - timedelta(days=1), found.end
    page = render_template(
        "operator/margin.html", found=found, before=before, after=after if after <= now else None, amount=_amount(found)
    )
    return page, {"Cache-Control": "private, no-store"}


@bp.get("/margin.csv")
@operators_only
def margin_csv() -> ResponseReturnValue:
    found = _found()
    name = f"margin-{found.start:%Y-%m}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(margins.as_csv(found), content_type="text/csv; charset=utf-8", headers=headers)


def _found() -> Margins:
    now = ports().clock.now()
    asked = now
    if text := request.args.get("month"):
        try:
            asked = datetime.strptime(text, "%Y-%m").replace(tzinfo=now.tzinfo)
        except ValueError:
            raise Problem("not-found") from None
    if not asked.year >= 2000 or asked > now:
        raise Problem("not-found")
    return margins.of_app().margins(db.session(), asked.year, asked.month, now)


def _amount(found: Margins) -> Callable[[int], str]:
    """Minor units as the reader's region writes money."""
    return lambda cents: str(format_currency(cents / 100, found.currency.upper()))
