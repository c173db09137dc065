"""The description of the API (OpenAPI 3.1), made of what the views' decorators say."""

from http import HTTPStatus
from typing import Any

import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from flask import Flask

from tenants.answered import KEPT, MAX_KEY
from webapp.api.blueprint import PROBLEM, bp, problem_titles
from webapp.api.shapes import ID, ProblemShape

VERSION = "1.0.0"
_EXTENSION = "vitrine.api"
STATUSES = (400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429, 503)

_INFO = """\
Albums, photos and videos, share links, uploads and usage of one site, for its own programs.

**Tokens** are made in the dashboard under “API”. Send one as `Authorization: Bearer key_…`. Each has scopes.

**Lists** come in pages: send `next` as `cursor` to get on, until it is null.

**Query parameters** are those that an operation describes, each at most once. Others are refused with 422, by name.

**Changes** (PATCH, DELETE) need the ETag that you have read as `If-Match`: 428 without one, 412 if somebody else has
changed it meanwhile.

**POST** takes an `Idempotency-Key`: the same request with the same key is done once.

**Errors** are problem details (RFC 9457); their `type` is listed with each status.

**Rate limits** are told by
`RateLimit` and `RateLimit-Policy`, and a 429 says when to come back (`Retry-After`).
"""


class Api(flask_smorest.Api):
    """Without flask-smorest's own errors: `webapp/problems.py` answers them like all others."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """None."""

    def _register_responses(self) -> None:
        """Those of `_components`."""


def init_app(app: Flask) -> None:
    app.config.update(API_TITLE="Albums API", API_VERSION=VERSION, OPENAPI_VERSION="3.1.0")
    plugin = MarshmallowPlugin(schema_name_resolver=_name_of)
    info = {"description": _INFO}
    api = Api(app, spec_kwargs={"info": info, "servers": [{"url": "/"}], "marshmallow_plugin": plugin})
    _components(api.spec)
    api.register_blueprint(bp)
    app.extensions[_EXTENSION] = _finished(api.spec.to_dict())


def _name_of(shape: Any) -> str:
    """`AlbumOut` is described as `Album`."""
    found = resolve_schema_cls(shape)
    name = found.__name__ if isinstance(found, type) else ""
    return name.removesuffix("Out").removesuffix("Shape").replace("Link", "ShareLink").replace("ShareShare", "Share")


def of(app: Flask) -> dict[str, Any]:
    """The description, ready to be sent."""
    found: dict[str, Any] = app.extensions[_EXTENSION]
    return found


def _components(spec: Any) -> None:
    parts = spec.components
    parts.schema("Problem", schema=ProblemShape)
    parts.security_scheme("bearer", {"type": "http", "scheme": "bearer", "description": "A token of this site."})
    for name, (description, schema) in _HEADERS.items():
        parts.header(name, {"description": description, "schema": schema})
    for name, parameter in _PARAMETERS.items():
        parts.parameter(name, "header", parameter)
    for status in STATUSES:
        parts.response(f"Problem{status}", _refusal(status))


def _refusal(status: int) -> dict[str, Any]:
    headers = ["RateLimit", "RateLimit-Policy"]
    headers += {401: ["WWW-Authenticate"], 403: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(
        status, []
    )
    return {
        "description": f"{HTTPStatus(status).phrase}. {'; '.join(problem_titles(status))}.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


_TEXT = {"type": "string"}
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ETag": ("The version of what is answered, to be sent as If-Match or If-None-Match.", _TEXT),
    "RateLimit": ('What is left: `"token";r=<requests>;t=<seconds>`.', _TEXT),
    "RateLimit-Policy": ('What is allowed: `"token";q=<requests>;w=<seconds>`.', _TEXT),
    "Retry-After": ("Seconds to wait.", _TEXT),
    "WWW-Authenticate": ("RFC 6750.", _TEXT),
    "Location": ("Where it is.", _TEXT),
}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "description": f"The same request with the same key is done once; kept for {KEPT.days * 24} hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "required": True,
        "description": "The ETag of what you have read. `*` changes it whatever it is.",
        "schema": _TEXT,
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "description": "The ETag of what you have.",
        "schema": _TEXT,
    },
}


def _finished(spec: dict[str, Any]) -> dict[str, Any]:
    """What of a path is known to be an id is said to be one."""
    for path in spec["paths"].values():
        for parameter in path.get("parameters", []):
            parameter["schema"] = {"type": "string", "pattern": ID}
    return spec
