"""Whether this server answers at all: for load balancers, asked every few seconds, so it touches nothing."""

from typing import Any

ANSWER = b"ok\n"
_HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(ANSWER))), ("Cache-Control", "no-store")]


class HealthCheck:
    """WSGI middleware that answers `GET /healthz` before anything else runs."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/healthz" and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            start_response("200 OK", _HEADERS)
            return [ANSWER]
        return self._app(environ, start_response)
