"""The description for programs, on every tenant's host. It tells nothing of the tenant."""

from flask import Blueprint, Response, current_app, jsonify

from webapp.api import description

bp = Blueprint("api_reference", __name__, url_prefix="/api/v1")


@bp.get("/openapi.json")
def openapi() -> Response:
    """OpenAPI 3.1."""
    response = jsonify(description.of(current_app))
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@bp.get("/reference")
def reference() -> Response:
    """The description for people."""
    return openapi()
