"""`/healthz` and `/readyz` for load balancers, answered before anything else of an app runs.

`/healthz` says that this process answers, and touches nothing: whoever fails it is to be replaced. `/readyz` says that
it can do its work now: whoever fails it gets no requests for a while. Both are public, so they name what failed and
never why; the log and `flask --app wsgi ready` do.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Health:
    """WSGI middleware. `ready` returns a word for each check: `ok`, or what is wrong."""

    def __init__(self, app: Wsgi, ready: Callable[[], Mapping[str, str]]) -> None:
        self._app = app
        self._ready = ready

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in ("/healthz", "/readyz") or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._app(environ, start_response)
        if path == "/healthz":
            status, kind, body = "200 OK", "text/plain; charset=utf-8", b"ok\n"
        else:
            found = dict(self._ready())
            ready = all(word == "ok" for word in found.values())
            status, kind = "200 OK" if ready else "503 Service Unavailable", "application/json"
            body = json.dumps({"ready": ready, "checks": found}).encode() + b"\n"
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response(status, headers)
        return [body] if environ["REQUEST_METHOD"] == "GET" else []
