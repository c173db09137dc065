"""Pages that are kept: what a visitor without a cookie sees of a site, made once and sent until something changes.

A kept page costs one statement, which tells the host's tenant and its edition (`tenants/editions.py`); a page that was
made under that edition is sent as it was. Only views that offer their page are kept, and of those only answers that set
no cookie, to requests that brought none: whoever has a session gets a page of their own.

Pages are kept compressed: a page of 200 photos is 15 kB then. Nothing in them is secret or a visitor's own, so that
compression tells nobody anything (BREACH).
"""

import gzip
import hashlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import psycopg
from cachetools import LRUCache
from flask import Flask, request
from isal import igzip
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bind_contextvars
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_etags, parse_set_header

from infra import access_log
from infra.settings import Settings
from tenants import editions
from tenants.delivered import TENANT
from tenants.editions import Current
from webapp import counting

SECONDS = 3600
"""How long a page is sent at most. Addresses of pictures in it last for two days and more (`Site.media_until`)."""
LONGEST_ADDRESS = 512
"""Characters of path and query together; a longer one is nobody's link."""
LONGEST_WISH = 128
"""Characters of an Accept-Language that is kept by; browsers send shorter ones."""
_PAGES = re.compile(r"/|/a/[^/]+")
"""Paths whose views offer: for others the edition is not asked."""
_PLACES = re.compile(r"(?:after|before)=[\w.~%-]+|part=tiles")
"""Queries that lead to other pages. With any other a visitor could fill the memory with copies of one page."""
_OFFERED = "vitrine.kept.offered"
EDITION = "vitrine.edition"
"""In the environment: the edition that the page is being made under; None where nothing is kept."""

Environ = dict[str, Any]
Lines = list[tuple[str, str]]
Key = tuple[str, ...]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]


@dataclass(frozen=True)
class Kept:
    """An answer with status 200. `body` is gzip (RFC 1952)."""

    edition: Current
    until: float
    route: str
    headers: Lines
    etag: str
    body: bytes


def offer() -> None:
    """Say of the answer that is being made: it is the same for every visitor without a cookie, until the tenant's
    edition changes."""
    request.environ[_OFFERED] = True


def current_edition() -> Current | None:
    """The tenant and the edition of a request that may be answered for everybody; None for any other. What a process
    remembers for longer than a request must not go into such a page by time alone, or it would stand there for an
    hour."""
    found: Current | None = request.environ.get(EDITION)
    return found


def init_app(app: Flask) -> None:
    """To be called before the access log, so that it tells of kept pages as well."""
    settings: Settings = app.extensions["vitrine.settings"]
    if settings.kept_pages_mb:
        app.wsgi_app = KeptPages(app, app.wsgi_app, settings)  # type: ignore[method-assign]


class KeptPages:
    """WSGI middleware. Requests that no kept page can answer go on to the app untouched."""

    def __init__(self, app: Flask, inner: Wsgi, settings: Settings) -> None:
        self._app, self._inner = app, inner
        self._base_domain = settings.base_domain
        self._pages: LRUCache[Key, Kept] = LRUCache(settings.kept_pages_mb << 20, getsizeof=_size)
        self._lock = Lock()
        self._engine: Engine = app.extensions["vitrine.asking"].engine

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        key = _key(environ)
        if key is None:
            return self._inner(environ, start_response)
        try:
            current = editions.current(self._engine, environ.get("HTTP_HOST", ""), self._base_domain)
        except (SQLAlchemyError, psycopg.Error, sqlite3.Error):
            return self._inner(environ, start_response)  # It meets the same, and knows what to answer.
        if current is None:
            return self._inner(environ, start_response)
        environ[TENANT] = current.tenant_id
        with self._lock:  # Even reading moves what is kept.
            page = self._pages.get(key)
        if page is not None and page.edition == current and time.monotonic() < page.until:
            environ[access_log.ROUTE] = page.route
            counting.note_kept(self._app, environ, current.tenant_id)
            bind_contextvars(tenant=current.tenant_id)
            return _send(page, environ, start_response)
        environ[EDITION] = current  # Read before the page is made: what changes meanwhile makes it an old one.
        return self._make(key, current, environ, start_response)

    def _make(self, key: Key, current: Current, environ: Environ, start_response: Any) -> Iterable[bytes]:
        said: list[Any] = []
        body = self._inner(environ, lambda *line: said.append(line))
        status, headers, *_ = said[-1]
        if not environ.get(_OFFERED) or status[:3] != "200" or any(name == "Set-Cookie" for name, _ in headers):
            start_response(*said[-1])
            return body
        try:
            text = b"".join(body)
        finally:
            close = getattr(body, "close", None)
            if close:
                close()
        page = _kept(current, environ.get(access_log.ROUTE, ""), headers, text)
        with self._lock:
            if _size(page) < self._pages.maxsize:
                self._pages[key] = page
        return _send(page, environ, start_response)


def _key(environ: Environ) -> Key | None:
    """What a kept page depends on; None for a request that none answers."""
    if environ["REQUEST_METHOD"] != "GET" or "HTTP_COOKIE" in environ or "HTTP_RANGE" in environ:
        return None
    path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
    if not _PAGES.fullmatch(path):
        return None
    wish = environ.get("HTTP_ACCEPT_LANGUAGE", "")
    # A target with a host of its own is the app's to judge (`webapp/host.py`).
    whole = str(environ.get("RAW_URI", "/"))
    if query and not all(_PLACES.fullmatch(part) for part in query.split("&")):
        return None
    if len(path) + len(query) > LONGEST_ADDRESS or len(wish) > LONGEST_WISH or not whole.startswith("/"):
        return None
    return environ["wsgi.url_scheme"], environ.get("HTTP_HOST", ""), path, query, wish


def _kept(current: Current, route: str, headers: Lines, text: bytes) -> Kept:
    body = igzip.compress(text, 1, mtime=0)
    # The same text becomes the same bytes; on another kind of processor perhaps not, and then it is sent again.
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    stays = [(name, value) for name, value in headers if name not in ("Content-Length", "ETag", "Vary")]
    stays += [("ETag", etag), ("Vary", _varies(",".join(value for name, value in headers if name == "Vary")))]
    return Kept(
        edition=current,
        until=time.monotonic() + SECONDS,
        route=route,
        headers=stays,
        etag=etag,
        body=body,
    )


def _send(page: Kept, environ: Environ, start_response: Any) -> Iterable[bytes]:
    wanted = environ.get("HTTP_IF_NONE_MATCH")
    if wanted is not None and parse_etags(wanted).contains_weak(page.etag[3:-1]):
        start_response("304 NOT MODIFIED", [each for each in page.headers if not each[0].startswith("Content-Type")])
        return [b""]
    body, coded = page.body, _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", ""))
    if not coded:
        body = gzip.decompress(body)
    coding = [("Content-Encoding", "gzip")] if coded else []
    start_response("200 OK", [*page.headers, *coding, ("Content-Length", str(len(body)))])
    return [body]


@lru_cache(maxsize=256)
def _varies(said: str) -> str:
    vary = parse_set_header(said)
    vary.update(["Cookie", "Accept-Encoding"])
    return vary.to_header()


@lru_cache(maxsize=256)
def _takes_gzip(accept_encoding: str) -> bool:
    return parse_accept_header(accept_encoding, Accept)["gzip"] > 0


def _size(page: Kept) -> int:
    return len(page.body) + 2048
