"""Rate limits, counted in Redis, or in this process while Redis is away."""

from flask import Flask, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from infra.settings import Settings
from webapp import kept


def visitor() -> str:
    """One visitor of one tenant."""
    return f"{g.site.tenant_id}:{get_remote_address()}"


def visitor_and_link() -> str:
    """One visitor's attempts at one share link: guessing at one never locks another, or anyone else, out."""
    return f"{visitor()}:{(request.view_args or {}).get('token', '')}"


class _Limiter(Limiter):
    """Looks for no limits where there are none: the search takes longer than most of what a page is made of."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        if not in_middleware or kept.current_edition() is None:
            super()._check_request_limit(callable_name, in_middleware)


limiter = _Limiter(
    key_func=visitor,
    in_memory_fallback_enabled=True,
    storage_options={"socket_connect_timeout": 1, "socket_timeout": 1},
    strategy="moving-window",
)


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["vitrine.settings"]
    app.config.setdefault("RATELIMIT_STORAGE_URI", settings.redis_url)
    limiter.init_app(app)
