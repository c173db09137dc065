"""How often a client may ask. Uploading itself is bounded by tickets; these stop floods and guessing.

Counts are kept in each server's own memory: the upload fleet depends on no Redis, and the limits are generous enough
that a fleet of n servers allowing n times as much does no harm.
"""

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from uploader import known, routes

CREATIONS = "1200/minute"  # By ticket: a folder of small photos over a fast line is about 20 a second.
QUESTIONS = "120/minute"
REFUSALS = "60/minute"  # By address: how many tickets may be wrong.


def init_app(app: Flask) -> None:
    limiter = Limiter(key_func=_ticket_or_address, storage_uri="memory://", strategy="fixed-window")
    limiter.init_app(app)
    views = app.view_functions
    views["tus.create"] = limiter.limit(CREATIONS)(routes.create)
    views["known.which_are_known"] = limiter.limit(QUESTIONS)(known.which_are_known)
    views["known.reuse_known"] = limiter.limit(CREATIONS)(known.reuse_known)
    for name in ("patch", "head", "terminate"):
        guarded = limiter.limit(REFUSALS, key_func=get_remote_address, deduct_when=_is_refused)
        views[f"tus.{name}"] = guarded(getattr(routes, name))


def _is_refused(response: Response) -> bool:
    return response.status_code == 401


def _ticket_or_address() -> str:
    return request.headers.get("Authorization", "")[-43:] or get_remote_address()
