"""What every request leaves in the logs: ids on each of its lines, and one line of its own at the end.

A request has an id, the load balancer's where one is trusted. It is on every line that is logged meanwhile, in the
answer's `X-Request-Id`, and in the messages that the request causes (`tenants/scope.py`), so that one id leads from a
browser to the job. The line names the route and never the path: addresses of share links and media carry their secret.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from flask import Flask, request
from structlog.contextvars import bind_contextvars, clear_contextvars

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

log = structlog.get_logger(__name__)

HEADER = "X-Request-Id"
IDS = {"asset_id": "asset", "upload_id": "upload", "album_id": "album"}
"""Variables of routes that are ids, and the names by which log lines have them."""
QUIET = frozenset({"static"})
ROUTE = "vitrine.route"
"""Where the environment names the route of a request."""
_SAFE = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
_ID = re.compile(r"[0-9a-z]{26}")


def new_request_id() -> str:
    return secrets.token_hex(12)


def safe_request_id(text: object) -> str:
    """`text` if it can be a request's id, else nothing: it goes into logs and messages."""
    return text if isinstance(text, str) and _SAFE.fullmatch(text) else ""


def request_id_of(environ: dict[str, Any]) -> str:
    """`X-Amzn-Trace-Id: Root=…` (Application Load Balancer) or `X-Request-Id` (others); nothing without either."""
    fields = dict(field.partition("=")[::2] for field in environ.get("HTTP_X_AMZN_TRACE_ID", "").split(";"))
    return safe_request_id(fields.get("Root", "").strip()) or safe_request_id(environ.get("HTTP_X_REQUEST_ID", ""))


def init_app(app: Flask, fleet: str, *, proxies: int, failed: Callable[[], None]) -> None:
    """To be called before any other hook is registered. `failed` is told of every answer that is a 5xx."""
    app.wsgi_app = AccessLog(  # type: ignore[method-assign]
        app.wsgi_app, fleet, believe=proxies > 0, failed=failed
    )
    app.before_request(_note_route)
    app.log_exception = _log_exception  # type: ignore[method-assign]  # Flask's own names the path.


class AccessLog:
    """WSGI middleware. The time is until the answer begins: a film takes as long as its viewer."""

    def __init__(self, app: Wsgi, fleet: str, *, believe: bool, failed: Callable[[], None]) -> None:
        self._app = app
        self._fleet = fleet
        self._believe = believe
        self._failed = failed

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request_id = (request_id_of(environ) if self._believe else "") or new_request_id()
        status = 500
        began = time.monotonic()

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = int(line[:3])
            return start_response(line, [*headers, (HEADER, request_id)], exc_info)

        clear_contextvars()  # A server's thread keeps its context from one request to the next.
        bind_contextvars(request_id=request_id, fleet=self._fleet)
        try:
            return self._app(environ, start)
        finally:
            route = environ.get(ROUTE, "")
            if route not in QUIET:
                milliseconds = round((time.monotonic() - began) * 1000, 1)
                method = environ["REQUEST_METHOD"]
                log.info("request", method=method[:10], route=route, status=status, milliseconds=milliseconds)
            if status >= 500:
                self._failed()
            clear_contextvars()


def _note_route() -> None:
    request.environ[ROUTE] = request.endpoint or "-"
    given = request.view_args or {}
    bind_contextvars(**{IDS[name]: value for name, value in given.items() if name in IDS and _ID.fullmatch(str(value))})


def _log_exception(exc_info: Any) -> None:
    log.error("request failed", route=request.endpoint, method=request.method, exc_info=exc_info)
