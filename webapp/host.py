"""The Host header to `g.site`, and which transactions of a request may write.

Only the Host header itself names the tenant. A host that names none gets a neutral 404 that shows no brand at all.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast
from urllib.parse import urlsplit

from cachetools import TTLCache
from flask import Blueprint, Flask, Response, current_app, g, request
from structlog.contextvars import bind_contextvars

from infra.errors import Problem
from infra.sql import reading
from tenants import domains, passkeys
from tenants.db import db
from tenants.delivered import TENANT
from tenants.detached import Detached
from tenants.editions import Current
from tenants.registry import Tenant, TenantState
from tenants.scope import enter, settings
from webapp import ahead, kept

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ANY_HOST = frozenset({"static", "host_probe", "certificate_ask"})
"""Endpoints that are the same everywhere: built files belong to no tenant, and a domain
 is probed before it is anybody's."""

MEDIA = frozenset({"site.media"})
"""Endpoints whose address is all the authority that they need. They get `g.tenant_id` alone, without a query while
the host is remembered: a page of 200 pictures must not look its tenant up 200 times."""
REMEMBERED_SECONDS = 5
_cache_lock = Lock()

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]


def init_app(app: Flask) -> None:
    app.wsgi_app = _ReadOnlyWhenSafe(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(_find_site)
    app.after_request(_vary_by_host)
    app.extensions["vitrine.hosts"] = TTLCache(maxsize=4096, ttl=REMEMBERED_SECONDS)
    app.extensions["vitrine.detached"] = Detached(ahead.ask, app.extensions["vitrine.asking"].engine.dialect)


class _ReadOnlyWhenSafe:
    """Runs requests of safe methods inside `reading()`, so that page views never queue for SQLite's write lock."""

    def __init__(self, inner: Wsgi) -> None:
        self._inner = inner

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        with reading(environ["REQUEST_METHOD"] in SAFE_METHODS):
            return self._inner(environ, start_response)


@contextmanager
def writing() -> Iterator[None]:
    """A short write transaction of its own inside a safe request, such as counting a visit; commits at the end.

    Whatever the session had loaded is expired by it.
    """
    db.session.rollback()
    with reading(False):
        yield
        db.session.commit()


def any_host(app: Flask, blueprint: Blueprint) -> None:
    """The blueprint's routes are the same on every host and belong to no tenant."""
    app.extensions.setdefault("vitrine.any_host", set()).add(blueprint.name)


def _find_site() -> None:
    endpoint, blueprint = request.endpoint, request.blueprint
    if endpoint in ANY_HOST or blueprint in current_app.extensions.get("vitrine.any_host", ()):
        return
    if blueprint == "operator" and on_own_host():
        return
    _refuse_two_hosts()
    if endpoint in MEDIA:
        g.tenant_id = request.environ[TENANT] = _remembered_tenant()
        bind_contextvars(tenant=g.tenant_id)
        return
    with reading():
        tenant = _tenant()
        if request.method not in SAFE_METHODS:
            # The handler begins its own transaction, as a writer, when it has something to write.
            db.session.expunge(tenant)
            db.session.rollback()
    request.environ[TENANT] = tenant.id
    g.site = enter(tenant, detached="own_host" in g)


def _refuse_two_hosts() -> None:
    """A request line may name a host as well (RFC 9112, 3.2.2), and a cache in front may go by that one: where it is
    not the Host header's, one of the two would get the other's page."""
    target = str(request.environ.get("RAW_URI", ""))
    if not target.startswith("/") and "://" in target:
        authority = urlsplit(target).netloc
        if authority.lower() != request.headers.get("Host", "").lower():
            raise Problem("bad-request", "The request names two hosts.")


def on_own_host() -> bool:
    """Whether this is the operator's host, which is no tenant's: the base domain, or one of the console's own."""
    return domains.normalise(request.headers.get("Host", "")) == settings().operator_host


def origin() -> str:
    """Scheme and host of this request, without a final slash."""
    return request.host_url.rstrip("/")


def here() -> passkeys.Here:
    """What passkeys that are made or used in this request are bound to."""
    return passkeys.Here(domains.normalise(request.host) or "", origin())


def detached() -> Detached:
    return cast(Detached, current_app.extensions["vitrine.detached"])


def _tenant() -> Tenant:
    current = kept.current_edition()
    return _of_edition(current) if current else _resolved()


def _of_edition(current: Current) -> Tenant:
    """The host's tenant, which the edition has named."""
    found = detached().tenant(current.tenant_id)
    if found is None:
        raise Problem("not-found")
    g.own_host = found.own_host
    return found.tenant


def _resolved() -> Tenant:
    asked = request.headers.get("Host", ""), settings().base_domain
    tenant = domains.resolve(db.session(), *asked)
    if tenant is not None:
        return tenant
    if domains.resolve(db.session(), *asked, (TenantState.SUSPENDED,)) is not None:
        raise Problem("paused", "Whoever runs it can tell you more.")
    raise Problem("not-found")


def _remembered_tenant() -> str:
    cache: TTLCache[str, str] = current_app.extensions["vitrine.hosts"]
    # By its one spelling: ports and capitals must not make a host many, and push the others out.
    host = domains.normalise(request.headers.get("Host", ""))
    if host is None:
        raise Problem("not-found")
    found = cache.get(host)
    if found is None:
        found = _tenant().id
        with _cache_lock:
            cache[host] = found
    return found


def _vary_by_host(response: Response) -> Response:
    response.vary.add("Host")
    return response
