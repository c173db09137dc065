"""The blueprint of the API, and `operation`, by which every view is mounted, guarded and described at once.

What a view's decorator says is what the description (OpenAPI 3.1) says: an operation that is not described is not
there.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import flask_smorest
from marshmallow import Schema

from infra.errors import TABLE
from tenants.api_tokens import Scope
from webapp.api import access
from webapp.api.parsing import Parser, Query

View = TypeVar("View", bound=Callable[..., Any])

PROBLEM = "application/problem+json"
_ALWAYS = (400, 401, 403, 422, 429, 503)
_RATE_HEADERS = ("RateLimit", "RateLimit-Policy")


class Blueprint(flask_smorest.Blueprint):
    """Describes what all operations of the API have in common."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(self._prepare_conventions)

    @staticmethod
    def _prepare_conventions(doc: dict[str, Any], doc_info: dict[str, Any], *, method: str, **_: Any) -> dict[str, Any]:
        told = doc_info["conventions"]
        parameters = doc.setdefault("parameters", [])
        if method == "post":
            parameters.append("IdempotencyKey")
        if method == "get":
            parameters.append("IfNoneMatch")
        if told["versioned"]:
            parameters.append("IfMatch")
        responses = doc["responses"]
        responses.pop(422, None)  # The library's own.
        for answer in responses.values():
            _add_headers(answer, tagged=method != "delete")
        if method == "get":
            responses[304] = {"description": "It is as you have it."}
        for status in told["refusals"]:
            responses[status] = f"Problem{status}"
        return doc


def _add_headers(answer: dict[str, Any], *, tagged: bool) -> None:
    names = (*_RATE_HEADERS, "ETag") if tagged else _RATE_HEADERS
    answer.setdefault("headers", {}).update({name: {"$ref": f"#/components/headers/{name}"} for name in names})


bp = Blueprint("api", __name__, url_prefix="/api/v1")


def operation(
    method: str,
    rule: str,
    *,
    scope: Scope,
    tag: str,
    returns: type[Schema] | None = None,
    status: int = 200,
    takes: type[Schema] | None = None,
    query: type[Query] | None = None,
    versioned: bool = False,
    refuses: Sequence[int] = (),
) -> Callable[[View], View]:
    """Mount a view: `takes` is the shape of its JSON body, `query` that of its query; both arrive as dicts.
    An operation without one has no query parameters, and refuses any.

    `versioned`: it needs an If-Match. `refuses` are statuses beside those that follow from the rest.
    """

    def decorate(view: View) -> View:
        mounted: Any = view
        if takes is not None:
            mounted = bp.arguments(takes)(mounted)
        mounted = bp.arguments(query or Query, location="query", as_kwargs=query is None)(mounted)
        mounted = bp.response(status, returns, description=HTTPStatus(status).phrase)(mounted)
        mounted = bp.doc(operationId=view.__name__, security=[{"bearer": []}], **{"x-scope": scope.value})(mounted)
        mounted = access.needs(scope)(mounted)
        mounted._apidoc["conventions"] = {
            "versioned": versioned,
            "refusals": _refusals(method, rule, bool(takes), versioned, refuses),
        }
        bp.route(rule, methods=[method], tags=[tag], endpoint=view.__name__)(mounted)
        return view

    return decorate


def _refusals(method: str, rule: str, takes: bool, versioned: bool, refuses: Sequence[int]) -> list[int]:
    found = {*_ALWAYS, *refuses}
    if "<" in rule:
        found.add(404)
    if takes:
        found |= {413, 415}
    if method == "POST":
        found.add(409)
    if versioned:
        found |= {412, 428}
    return sorted(found)


def problem_titles(status: int) -> list[str]:
    """What can be behind a status, as the table of errors has it."""
    return [f"`{code}`: {title}" for code, (found, title) in TABLE.items() if found == status]
