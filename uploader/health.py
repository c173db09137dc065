"""Whether this server answers at all: for load balancers, asked every few seconds, so it touches nothing."""

from flask import Blueprint, Response

routes = Blueprint("health", __name__)


@routes.get("/healthz")
def healthz() -> Response:
    return Response("ok\n", content_type="text/plain")
