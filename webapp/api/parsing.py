"""From a request to what a view gets: JSON that is JSON, of the shape that the description says, or a problem that
names the place (RFC 9457, with JSON pointers in `errors`)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from flask import Request
from marshmallow import Schema, ValidationError
from webargs.core import missing
from webargs.flaskparser import FlaskParser

from infra.errors import N_, Problem

MOST_BYTES = 256 * 1024


class Parser(FlaskParser):
    """webargs' parser, stricter about JSON and with this API's errors."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        if not req.mimetype == "application/json":
            raise Problem("media-type", N_("Send the body as application/json."))
        if req.content_length is None and "Transfer-Encoding" not in req.headers:
            return missing
        return _read(req.get_data(cache=True))

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        messages: Any = error.messages
        location, found = next(iter(messages.items())) if isinstance(messages, dict) else ("json", messages)
        places = [{"pointer": pointer, "detail": detail} for pointer, detail in _places(found)]
        if location == "query":
            places = [{"parameter": each["pointer"].removeprefix("#/"), "detail": each["detail"]} for each in places]
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
