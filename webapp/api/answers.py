"""Answers: documents with their version, and changes that are made once and against the version that was read."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g, jsonify, request
from marshmallow import Schema

from infra.errors import N_, Problem
from tenants import answered
from tenants.answered import MAX_KEY, Answer
from tenants.scope import secret

Document = dict[str, Any]


def dumped(shape: type[Schema], thing: Any) -> Document:
    found: Document = shape().dump(thing)
    return found


def version_of(document: Document) -> str:
    """A strong validator (RFC 9110, 8.8.1): it is another one whenever anything in the document is."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]


def told(document: Document, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The document with its version; 304 for whoever has that version."""
    response = jsonify(document)
    response.status_code = status
    response.headers.update(headers or {})
    version = version_of(document)
    if request.method == "GET" and request.if_none_match.contains_weak(version):
        response.set_data(b"")
        response.status_code = 304
        del response.headers["Content-Type"]
    response.set_etag(version)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def check_version(document: Document) -> None:
    """Raises `Problem`: 428 without an If-Match, 412 if the document is not as the caller has read it.

    Call it with the row locked: then nobody changes it between this and the commit.
    """
    wanted = request.if_match
    if not wanted:
        raise Problem(
            "version-missing", N_("Send the ETag that you have read as If-Match, so that no other change gets lost.")
        )
    if not (wanted.star_tag or wanted.is_strong(version_of(document))):
        raise Problem("stale", N_("Read it again, make your change to what is there now, and send that version."))


def empty() -> Response:
    return Response(status=204)


def once(make: Callable[[], tuple[Document, str | None]]) -> Response:
    """Run `make` in one transaction and answer 201 with the document that it gives, and its address.

    With an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) the answer is kept with what was made, and the
    same request gets it again; another request under the same key gets 409.
    """
    key = _key()
    session, token = g.site.session, g.bearer.id
    asked = f"{request.method} {request.full_path}\n".encode() + request.get_data()
    if key is not None and not answered.begin(session, g.site.tenant_id, token, key, asked, now=g.site.now()):
        before = answered.again(session, token, key, asked, secret())
        session.commit()
        return _said(before, again=True)
    document, address = make()
    answer = Answer(201, json.dumps(document), {"Location": address} if address else {})
    if key is not None:
        answered.keep(session, g.site.tenant_id, token, key, answer, secret())
    session.commit()
    return _said(answer)


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (1 <= len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Problem("bad-request", N_("An Idempotency-Key has 1 to 255 printable ASCII characters."))
    return key


def _said(answer: Answer, *, again: bool = False) -> Response:
    response = told(json.loads(answer.body), answer.status, answer.headers)
    if again:
        response.headers["Idempotency-Replayed"] = "true"
    return response
