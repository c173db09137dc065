"""Counting what the web server sends of tenants' sites, page by page and picture by picture."""

from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, cast

from flask import Flask, request

from infra.settings import Settings
from tenants.delivered import COUNTED, TENANT, Delivered, asset_of, is_billed, of_app

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]


def init_app(app: Flask) -> None:
    """To be called after `kept`, so that kept pages count as well. Nothing is counted where the edge's logs tell."""
    settings: Settings = app.extensions["vitrine.settings"]
    if settings.deliveries == "app":
        app.extensions["vitrine.delivered"] = counter = Delivered(app)
        app.wsgi_app = Counting(app.wsgi_app, counter)  # type: ignore[method-assign]


class Counting:
    """WSGI middleware: by the answer's Content-Length, unless its body counts itself."""

    def __init__(self, inner: Wsgi, counter: Delivered) -> None:
        self._inner = inner
        self._counter = counter

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        said: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            said[:] = [status, headers]
            return start_response(status, headers, exc_info)

        body = self._inner(environ, start)
        if TENANT in environ and COUNTED not in environ and environ["REQUEST_METHOD"] != "HEAD" and said:
            path = environ.get("PATH_INFO", "")
            if is_billed(path, int(said[0][:3])):
                self._counter.add(environ[TENANT], _length(said[1]), asset_of(path))
        return body


def _length(headers: list[tuple[str, str]]) -> int:
    return next((int(value) for name, value in headers if name.lower() == "content-length"), 0)


class Counted:
    """A file on its way to a client that counts what was taken of it, whether it was read or sent by sendfile(2).

    Players ask for a whole film and leave after seconds, so the length that was asked for says little.
    """

    def __init__(self, file: BinaryIO, done: Callable[[int], None]) -> None:
        self._file = file
        self._done: Callable[[int], None] | None = done
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._read += len(data)
        return data

    def close(self) -> None:
        done, self._done = self._done, None
        try:
            if done is not None:
                done(self._read or self._position())
        finally:
            self._file.close()

    def _position(self) -> int:
        """`socket.sendfile` leaves the file where it ended. Only whole files are sent that way, so it began at 0."""
        try:
            return self._file.tell() if self._file.fileno() >= 0 else 0
        except (OSError, AttributeError, ValueError):
            return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def counted(file: BinaryIO, tenant_id: str) -> BinaryIO:
    """The body of this request's answer, counted as it is sent."""
    counter, path = of_app(), request.path
    if counter is None or not is_billed(path, 200):
        return file
    request.environ[COUNTED] = True
    asset = asset_of(path)
    return cast(BinaryIO, Counted(file, lambda sent: counter.add(tenant_id, sent, asset)))
