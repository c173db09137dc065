"""What every answer of the upload host carries: CORS, Tus-Resumable, and problems as RFC 9457 documents."""

import json

import structlog
from flask import Flask, Response, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from infra.errors import Problem, StorageFull, Unavailable, from_status
from infra.sql import problem_of
from uploader import protocol, rawbody

log = structlog.get_logger(__name__)

_EXPOSED = (
    "Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Concat, Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset, "
    "Upload-Asset, Upload-Duplicate-Of, X-Request-Id"
)
_ACCEPTED = (
    "Authorization, Content-Type, Tus-Resumable, Upload-Checksum, Upload-Concat, Upload-Defer-Length, Upload-Length, "
    "Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, X-Requested-With"
)


def init_app(app: Flask) -> None:
    app.after_request(_common_headers)
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StorageFull, lambda _: _problem(Problem("disk-full")))
    app.register_error_handler(SQLAlchemyError, _database_error)
    app.register_error_handler(Unavailable, _service_away)
    app.register_error_handler(Exception, _unexpected)


def _common_headers(response: Response) -> Response:
    """Any origin may talk to this host: tenants upload from their own domains, and the ticket, unlike a cookie, is
    never sent by a browser on its own."""
    response.headers["Tus-Resumable"] = protocol.VERSION
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "POST, HEAD, PATCH, DELETE, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = _ACCEPTED
        response.headers["Access-Control-Max-Age"] = "86400"
    when_sent = rawbody.refuse_body(request.environ)
    if when_sent is not None:
        response.call_on_close(when_sent)
    return response


def _problem(problem: Problem) -> Response:
    response = Response(json.dumps(problem.document()), problem.status, content_type="application/problem+json")
    response.headers.update(problem.headers)
    return response


def _http_error(error: HTTPException) -> Response:
    return _problem(Problem(from_status(error.code or 500), error.description or ""))


def _database_error(error: SQLAlchemyError) -> Response:
    problem = problem_of(error)
    if problem is None:
        return _unexpected(error)
    log.warning("the database refused", route=request.endpoint, method=request.method, error=str(error))
    return _problem(Problem(problem.code, "What was acknowledged is kept. Resume later.", headers=problem.headers))


def _service_away(error: Unavailable) -> Response:
    log.warning("a service is away", route=request.endpoint, method=request.method, error=str(error))
    return _problem(
        Problem("unavailable", "What was acknowledged is kept. Resume later.", headers={"Retry-After": "5"})
    )


def _unexpected(error: Exception) -> Response:
    log.error("request failed", route=request.endpoint, method=request.method, exc_info=error)
    return _problem(Problem("internal", "Resume the upload; if it happens again, tell the operator."))
