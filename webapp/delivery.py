"""Addresses of pictures for whoever is looking, and the check of those that come back (`tenants/delivery.py`)."""

from collections.abc import Callable
from threading import Lock

from cachetools import TTLCache
from flask import Flask, Response, current_app, g
from flask_login import current_user

from infra.sql import reading
from tenants import delivery
from tenants.db import bind_tenant, db
from tenants.delivery import Standing
from tenants.names import generation_path
from tenants.scope import ports
from webapp import entry
from webapp.host import origin

REMEMBERED_SECONDS = 3
"""How long a way that was closed may still be open in a process that looked just before."""
_lock = Lock()


def init_app(app: Flask) -> None:
    app.extensions["vitrine.standings"] = TTLCache(maxsize=8192, ttl=REMEMBERED_SECONDS)
    app.after_request(_give_cookies)


def base(album_id: str, asset_id: str, generation: int, *, marked: bool) -> str:
    """Where the renditions of a generation are for this viewer, the plain or the marked ones; ends in a slash."""
    return by_way(way_of(album_id))(generation_path(asset_id, generation, marked=marked))


def by_way(way: str) -> Callable[[str], str]:
    """`base` for many that one way leads to: takes `generation_path`."""
    token = g.site.generation_tokens(way)
    return lambda path: f"/m/{way}/{token(path)}/{path}"


def way_of(album_id: str) -> str:
    """`way_into`, noted for this answer: the edge may want a cookie for it."""
    ways: dict[str, str] = g.setdefault("ways", {})
    way = ways.get(album_id)
    if way is None:
        way = ways[album_id] = way_into(album_id)
    return way


def way_into(album_id: str) -> str:
    """What lets the viewer see that album, the most lasting first: `may` has said before that something does."""
    if "bearer" in g:
        return delivery.by_token(g.bearer.id)
    if g.viewer.role is not None:
        return (delivery.by_support if entry.is_supporter() else delivery.by_membership)(current_user.id)
    way: str = g.viewer.ways.get(album_id) or delivery.by_openness(album_id)
    return way


def stands(tenant_id: str, way: str, asset_id: str, *, marked: bool) -> bool:
    """Whether that way still leads to the asset, and to its plain pictures if it is those (not `marked`) that are asked
    for; one statement a way and process in `REMEMBERED_SECONDS`."""
    found = _remembered(tenant_id, way, "")
    if not found.open or (found.marked and not marked):
        return False
    if found.gone is None:
        return _remembered(tenant_id, way, asset_id).open
    return asset_id not in found.gone


def _remembered(tenant_id: str, way: str, asset_id: str) -> Standing:
    cache: TTLCache[tuple[str, str, str], Standing] = current_app.extensions["vitrine.standings"]
    key = tenant_id, way, asset_id
    found = cache.get(key)
    if found is None:
        session = db.session()
        with reading():
            bind_tenant(session, tenant_id)
            if asset_id:
                now = ports().clock.now()
                found = Standing(open=not delivery.is_gone(session, tenant_id, asset_id, way, now))
            else:
                found = delivery.standing(session, tenant_id, way, ports().clock.now())
            session.rollback()
        with _lock:
            cache[key] = found
    return found


def _give_cookies(response: Response) -> Response:
    """What the edge asks for beside the address, each for the one path that it opens.

    Its copies know nothing of a link's last hour, so the cookie must not outlive the link.
    """
    if not ports().edge.shared_seconds:
        return response
    for way in set(g.get("ways", {}).values()):
        if not delivery.needs_cookie(way):
            continue
        path, until = f"/m/{way}/", g.site.media_until()
        until = min(until, delivery.ends(g.site.session, g.site.tenant_id, way) or until)
        for name, value in ports().edge.cookies(origin(), path, until=until).items():
            response.set_cookie(name, value, path=path, expires=until, secure=True, httponly=True, samesite="Lax")
    return response
