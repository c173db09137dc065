"""Refusals as answers: RFC 9457 documents for programs, a page in the tenant's look for people."""

from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from infra.errors import Problem, Unavailable, from_status
from infra.sql import problem_of, reading
from tenants.db import db
from webapp import host, language

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"


def init_app(app: Flask) -> None:
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SQLAlchemyError, _database)
    app.register_error_handler(Unavailable, _service_away)


def prefers_page() -> bool:
    """Whether a person is likely to read the answer: browsers name text/html when they navigate, scripts do not."""
    if request.path.startswith("/api/"):
        return False
    accepted = request.accept_mimetypes
    named = any(value.lower() == "text/html" for value, _ in accepted)
    return named and accepted["text/html"] >= accepted["application/json"]


def _csrf(_error: CSRFError) -> Response:
    return _answer(Problem("bad-request", "The form was open for too long. Go back, reload the page and try again."))


def _http(error: HTTPException) -> Response:
    response = error.get_response()
    if error.code is None or error.code < 400:
        return make_response(response)
    kept = ("Allow", "Retry-After", "Content-Range", "WWW-Authenticate")
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    return _answer(Problem(from_status(error.code), headers=headers), status=error.code)


def _database(error: SQLAlchemyError) -> Response:
    """503 while the database is away. The page is the neutral one, since the tenant's look would have to be read."""
    problem = problem_of(error)
    if problem is None:
        raise error
    log.warning("the database refused", route=request.endpoint, method=request.method, error=str(error))
    if problem.code == "unavailable":
        g.pop("site", None)
    return _answer(problem)


def _service_away(error: Unavailable) -> Response:
    log.warning("a service is away", route=request.endpoint, method=request.method, error=str(error))
    soon = {"Retry-After": "5"}
    return _answer(Problem("unavailable", headers=soon))


def _answer(problem: Problem, *, status: int | None = None) -> Response:
    db.session.rollback()  # Whatever the handler had begun is not done.
    status = status or problem.status
    answer = _page(problem, status) if prefers_page() else _document(problem, status)
    answer.headers.extend(problem.headers)
    answer.headers["Cache-Control"] = "no-store"
    answer.vary.add("Accept")
    return answer


def _document(problem: Problem, status: int) -> Response:
    document = {**problem.document(), "title": gettext(problem.title), "status": status}
    if problem.detail:
        document["detail"] = language.told(problem)
    answer = jsonify(document)
    answer.status_code = status
    answer.content_type = CONTENT_TYPE
    return answer


def _page(problem: Problem, status: int) -> Response:
    shown: dict[str, Any] = {"problem": problem, "detail": language.told(problem), "status": status}
    with reading():
        return make_response(render_template(_template(), **shown), status)


def _template() -> str:
    """In the look of where the reader is; the neutral one knows no tenant and no database."""
    if "site" in g:
        return "problem.html"
    at_console = request.path.startswith("/operator/") and host.on_own_host()
    return "operator/problem.html" if at_console else "problem_neutral.html"
