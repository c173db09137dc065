"""The description, for programs and for people, on every tenant's host. It tells nothing of the tenant.

The page is drawn here from the description: the viewers that could be had from npm (Redoc, Scalar, Swagger UI) bring a
megabyte of script and styles that the site's policy (`webapp/headers.py`) does not allow.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template
from markupsafe import Markup, escape

from webapp.api import description
from webapp.host import origin

bp = Blueprint("api_reference", __name__, url_prefix="/api/v1")


@dataclass(frozen=True)
class Member:
    """A parameter, or a member of a document."""

    name: str
    type: str
    required: bool
    about: str
    shape: str = ""
    """The shape that its type names, if it does."""


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    about: str
    scope: str
    parameters: list[Member]
    body: str
    answers: list[tuple[str, str, str]]
    """Status, what it means, the shape of the document."""
    example: str


@bp.app_template_filter()
def marked(text: str) -> Markup:
    """`code` and **strong**, all that descriptions use of Markdown; anything else is text."""
    plain = str(escape(text))
    plain = re.sub(r"`([^`]+)`", r"<code>\1</code>", plain)
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", plain))  # noqa: S704 (escaped above)


@bp.get("/openapi.json")
def openapi() -> Response:
    """OpenAPI 3.1."""
    response = jsonify(description.of(current_app))
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@bp.get("/reference")
def reference() -> str:
    """The same for people."""
    spec = description.of(current_app)
    groups: dict[str, list[Operation]] = {}
    for path, parts in spec["paths"].items():
        for method, told in parts.items():
            if method != "parameters":
                operation = _operation(spec, path, method, told, parts.get("parameters", []))
                groups.setdefault(told["tags"][0], []).append(operation)
    shapes = {
        name: (shape.get("description", ""), _members(spec, shape))
        for name, shape in sorted(spec["components"]["schemas"].items())
    }
    return render_template("reference.html", info=spec["info"], groups=groups, shapes=shapes)


def _operation(spec: Any, path: str, method: str, told: Any, common: list[Any]) -> Operation:
    parameters = [_resolved(spec, each) for each in (*common, *told.get("parameters", []))]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return Operation(
        id=told["operationId"],
        method=method.upper(),
        path=path,
        summary=told.get("summary", "").removesuffix("."),
        about=told.get("description", ""),
        scope=told["x-scope"],
        parameters=[_member(each["name"], each["schema"], each) for each in parameters],
        body=_shape(body),
        answers=[_answer(spec, status, answer) for status, answer in sorted(told["responses"].items())],
        example=_example(spec, path, method, parameters, body),
    )


def _answer(spec: Any, status: str, answer: Any) -> tuple[str, str, str]:
    found = _resolved(spec, answer)
    content: Any = next(iter(found.get("content", {}).values()), {})
    return status, found["description"], _shape(content.get("schema", {}))


def _resolved(spec: Any, part: Any) -> Any:
    if "$ref" not in part:
        return part
    for name in part["$ref"].removeprefix("#/").split("/"):
        spec = spec[name]
    return spec


def _members(spec: Any, shape: Any) -> list[Member]:
    required = shape.get("required", [])
    return [
        _member(name, told, {**told, "required": name in required})
        for name, told in shape.get("properties", {}).items()
    ]


def _member(name: str, schema: Any, told: Any) -> Member:
    about = told.get("description", "")
    return Member(name, _type(schema), bool(told.get("required")), about, _shape(schema) or _shape(schema.get("items")))


def _shape(schema: Any) -> str:
    reference: str = (schema or {}).get("$ref", "")
    return reference.rpartition("/")[2]


def _type(schema: Any) -> str:
    """In words: `string or null, up to 200 characters`."""
    if "$ref" in schema:
        return _shape(schema)
    kinds = schema.get("type", "any")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "items" in schema:
        kinds = [f"list of {_type(schema['items'])}" if kind == "array" else kind for kind in kinds]
    words = " or ".join(kinds)
    if "enum" in schema:
        words = " · ".join("null" if value is None else str(value) for value in schema["enum"])
    if "format" in schema:
        words += f" ({schema['format']})"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None or most is not None:
        words += f", {least:,} to {most:,}"
    if "maxLength" in schema:
        words += f", up to {schema['maxLength']:,} characters"
    return words


def _example(spec: Any, path: str, method: str, parameters: list[Any], body: Any) -> str:
    """A line for curl."""
    said = ["curl", '-H "Authorization: Bearer $TOKEN"']
    if method != "get":
        said.append(f"-X {method.upper()}")
    if any(each["name"] == "If-Match" for each in parameters):
        said.append("-H 'If-Match: \"…\"'")
    if body:
        shape = _resolved(spec, body)
        wanted = shape.get("required") or list(shape.get("properties", {}))[:1]
        sample = {name: _sample(shape["properties"][name]) for name in wanted}
        said += ['-H "Content-Type: application/json"', f"-d '{json.dumps(sample)}'"]
    return " ".join([*said, origin() + path.replace("{", "<").replace("}", ">")])


def _sample(schema: Any) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if "items" in schema:
        return [_sample(schema["items"])]
    kind = schema.get("type", "string")
    return {"boolean": True, "integer": schema.get("minimum", 1)}.get(kind if isinstance(kind, str) else kind[0], "…")
