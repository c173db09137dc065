"""The answer to a change: JSON for the page's script, a redirect with a message for a plain form."""

from typing import Any, cast

from flask import flash, g, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from infra.errors import Problem
from webapp.problems import prefers_page


def say(message: str, *, undo: str | None = None, ids: list[str] | None = None) -> None:
    """Show `message` on the next page, with an undo button if there is a way back."""
    shown: Any = {"text": message, "undo": undo, "ids": ids or []}
    flash(cast(str, shown), "message")  # Any JSON value survives in the session.


def done(
    message: str, *, back: str, undo: str | None = None, ids: list[str] | None = None, **more: object
) -> ResponseReturnValue:
    """Commit, then say so. `undo` is an address that takes a POST with `ids` as its `id` fields."""
    g.site.session.commit()
    if prefers_page():
        say(message, undo=undo, ids=ids)
        return redirect(back, 303)
    return jsonify({"message": message, "undo": undo, "ids": ids or [], **more})


def first_error(form: FlaskForm) -> Problem:
    """What a script is told of a form that did not validate."""
    field, messages = next(iter(form.errors.items()))
    return Problem("invalid", str(messages[0]), field=str(field))


def album_url(album_id: str) -> str:
    return url_for("dashboard.album", album_id=album_id)
