"""From a request to what a view gets: JSON that is JSON, of the shape that the description says, or a problem that
names the place (RFC 9457, with JSON pointers in `errors`)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from flask import Request
from marshmallow import Schema, ValidationError, pre_load
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy

from infra.errors import N_, Problem
from webapp.api.shapes import Shape

MOST_BYTES = 256 * 1024


class Query(Shape):
    """The parameters of an operation's query, none by itself: each is told once, and others are refused by name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        known = ", ".join(f"“{field.data_key or name}”" for name, field in self.fields.items())
        said = f"those of this operation are {known}" if known else "this operation has none"
        self.error_messages["unknown"] = f"There is no such query parameter: {said}."

    @pre_load
    def _once_each(self, sent: MultiDictProxy, **_: Any) -> MultiDictProxy:
        given: Any = sent.data
        again = [name for name in given if name not in sent.multiple_keys and len(given.getlist(name)) > 1]
        if again:
            raise ValidationError({name: ["It is there more than once."] for name in again})
        return sent


class Parser(FlaskParser):
    """webargs' parser, stricter about JSON and queries, and with this API's errors."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012 (the library's)
    """Of what is not described the schemas decide. (webargs ignores it, in queries.)"""

    def load_json(self, req: Request, schema: Schema) -> Any:
        if not req.mimetype == "application/json":
            raise Problem("media-type", N_("Send the body as application/json."))
        if req.content_length is None and "Transfer-Encoding" not in req.headers:
            return missing
        return _read(req.get_data(cache=True))

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        messages: Any = error.messages
        location, found = next(iter(messages.items())) if isinstance(messages, dict) else ("json", messages)
        if location == "query":
            places = [{"parameter": name, "detail": detail} for name, details in found.items() for detail in details]
        else:
            places = [{"pointer": pointer, "detail": detail} for pointer, detail in _places(found)]
        raise Problem(
            "invalid", N_("Some of what was sent cannot be taken; “errors” says what and why."), errors=places
        )


def _read(data: bytes) -> Any:
    """Raises `Problem("bad-request")` for what is no JSON text (RFC 8259), or holds what no text is made of."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # Half of a surrogate pair is no character.
    except UnicodeError:
        raise Problem("bad-request", N_("The body is not text in UTF-8.")) from None
    except (ValueError, RecursionError):
        raise Problem("bad-request", N_("The body is not JSON.")) from None
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _places(messages: Any, path: str = "#") -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            here = path if key == "_schema" else f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from _places(value, here)
    else:
        for sentence in messages if isinstance(messages, list) else [messages]:
            yield path, str(sentence)
