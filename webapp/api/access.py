"""Who calls: a bearer token (RFC 6750), and nothing else. A cookie says nothing here, so no other site's page can make
a browser do anything by it, and no form token is needed.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, g, request
from structlog.contextvars import bind_contextvars

from infra.errors import N_, Problem
from infra.sql import reading
from tenants import api_tokens
from tenants.api_tokens import Bearer, Scope
from tenants.people import Role
from tenants.sharing import Viewer
from webapp.host import SAFE_METHODS
from webapp.limits import limiter, visitor

PER_MINUTE = 600
WRONG_PER_MINUTE = 60
_CHALLENGE = 'Bearer realm="api"'


def caller() -> str:
    """Whose requests are counted together: a token's, or those that came from one place without any."""
    bearer = bearer_or_none()
    return f"{g.site.tenant_id}:{bearer.id}" if bearer else visitor()


def allowance() -> str:
    return f"{PER_MINUTE if bearer_or_none() else WRONG_PER_MINUTE} per minute"


def bearer_or_none() -> Bearer | None:
    """The live token of this request, looked up once."""
    if "bearer_asked" not in g:
        g.bearer_asked = True
        found = _look_up()
        if found is not None:
            g.bearer = found
    bearer: Bearer | None = g.get("bearer")
    return bearer


def _look_up() -> Bearer | None:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    session, now = g.site.session, g.site.now()
    with reading():
        found = api_tokens.find(session, given.strip(), now)
        session.rollback()
    if found is not None and api_tokens.needs_note(found, now):
        with reading(False):
            api_tokens.note_use(session, g.site.tenant_id, found, now)
            session.commit()
    return found


def admit() -> None:
    """Before each view. Raises `Problem("token")` without a live token of this host's tenant, and "forbidden" for
    changes of a tenant that may change nothing."""
    bearer = bearer_or_none()
    if bearer is None:
        sent = "Authorization" in request.headers
        challenge = f'{_CHALLENGE}, error="invalid_token"' if sent else _CHALLENGE
        raise Problem(
            "token",
            N_("Send “Authorization: Bearer key_…” with a token of this site that has not run out."),
            headers={"WWW-Authenticate": challenge},
        )
    bind_contextvars(token=bearer.prefix)
    g.viewer = Viewer(tenant_id=g.site.tenant_id, role=Role.EDITOR)
    if request.method not in SAFE_METHODS and not g.site.entitlements.writable:
        raise Problem("forbidden", N_("This site is read-only at the moment: nothing can be changed."))


def needs(scope: Scope) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view is for tokens with that scope."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if scope not in g.bearer.scopes:
                challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{scope.value}"'
                raise Problem(
                    "scope",
                    N_("This needs a token with the scope “%(scope)s”."),
                    values={"scope": scope.value},
                    headers={"WWW-Authenticate": challenge},
                    scope=scope.value,
                )
            return view(*args, **kwargs)

        return guarded

    return decorate


def tell_limits(response: Response) -> Response:
    """The headers of draft-ietf-httpapi-ratelimit-headers-10: what is allowed, what is left, in seconds until when."""
    limit = limiter.current_limit
    if limit is None:
        return response
    window = limit.limit.get_expiry()
    left = max(0, limit.reset_at - int(g.site.now().timestamp()))
    response.headers["RateLimit-Policy"] = f'"token";q={limit.limit.amount};w={window}'
    response.headers["RateLimit"] = f'"token";r={max(0, limit.remaining)};t={min(left, window)}'
    if response.status_code == 429:
        response.headers["Retry-After"] = str(max(1, min(left, window)))
    return response
