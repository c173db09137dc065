"""The REST API, version 1, on each tenant's own host below `/api/v1`."""

from flask import Flask, Response, request

from tenants import purges
from webapp.api import (
    access,
    albums,
    assets,
    blueprint,
    description,
    hooks,
    links,
    parsing,
    reference,
    searching,
    uploads,
    usage,
)
from webapp.host import SAFE_METHODS
from webapp.limits import limiter

VIEWS = (albums, assets, links, uploads, searching, usage, hooks)
"""Importing them hangs their routes on the blueprint."""


def init_app(app: Flask) -> None:
    """Attach the API's routes. They know no session and no form token (`access.py`)."""
    limiter.limit(access.allowance, key_func=access.caller)(blueprint.bp)
    description.init_app(app)
    app.register_blueprint(reference.bp)


def _admit() -> None:
    request.max_content_length = parsing.MOST_BYTES
    access.admit()


def _finish(response: Response) -> Response:
    if request.method not in SAFE_METHODS:
        purges.send_all()
    return access.tell_limits(response)


blueprint.bp.before_request(_admit)
blueprint.bp.after_request(_finish)
