"""In, with a code from the command line, and out."""

from datetime import timedelta

from flask import redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as lazy
from flask_limiter.util import get_remote_address
from flask_wtf import FlaskForm
from sqlalchemy.exc import IntegrityError
from wtforms import PasswordField
from wtforms.validators import DataRequired, Length

from tenants import operator_log, operators
from tenants.db import db
from tenants.operators import Code
from tenants.scope import secret
from webapp.limits import limiter
from webapp.operator.mount import actor, bp, now, signed_in

SIGNED_IN_FOR = timedelta(hours=8)
ATTEMPTS = "20 per 15 minutes"


class CodeForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    code = PasswordField(lazy("Code"), [DataRequired(), Length(max=400)])


@bp.route("/", methods=["GET", "POST"])
@limiter.limit(ATTEMPTS, key_func=get_remote_address, methods=["POST"])
def enter() -> ResponseReturnValue:
    """Asks for a code of `flask --app wsgi operator`."""
    form = CodeForm()
    wrong = False
    if form.validate_on_submit():
        code = operators.read(secret(), form.code.data, now())
        if code is not None and _use(code):
            session.clear()
            session["operator"] = [int((now() + SIGNED_IN_FOR).timestamp()), code.who]
            return redirect(url_for("operator.tenants"), 303)
        wrong = True
    elif request.method == "GET" and signed_in():
        return redirect(url_for("operator.tenants"), 303)
    return render_template("operator/enter.html", form=form, wrong=wrong), 401 if wrong else 200


def _use(code: Code) -> bool:
    """Whether this is the first time; the log's entry is what makes it the last."""
    try:
        operator_log.write(db.session(), actor(code.who), "sign-in", now=now(), once=code.nonce)
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        return False
    return True


@bp.post("/leave")
def leave() -> ResponseReturnValue:
    session.clear()
    return redirect(url_for("operator.enter"), 303)
