"""The words of tus 1.0.0: what its headers mean, checked and turned into values. Knows no database and no Flask.

https://tus.io/protocols/resumable-upload, sections in the docstrings.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Protocol

from infra.errors import Problem

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-defer-length",
    "creation-with-upload",
    "expiration",
    "checksum",
    "termination",
    "concatenation",
)
ALGORITHMS = ("sha1", "sha256")
BODY_TYPE = "application/offset+octet-stream"
MAX_PARTS = 64

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9]{1,19}")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")


class Headers(Protocol):
    """A request's headers, by name in any case."""

    def get(self, key: str, /) -> str | None: ...


@dataclass(frozen=True)
class Creation:
    """A creation request. `part` is None, `partial` or `final`; a final one names its `parts` by id."""

    filename: str
    filetype: str = ""
    sha256: str | None = None
    metadata_header: str = ""
    length: int | None = None
    part: str | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checksum:
    """Upload-Checksum: what the bytes of one request must hash to."""

    algorithm: str
    digest: bytes

    def hasher(self) -> "hashlib._Hash":
        # SHA-1 is the algorithm that every tus server must offer; it guards against line noise, not against people.
        return hashlib.new(self.algorithm, usedforsecurity=False)


@dataclass(frozen=True)
class Append:
    """The head of a request that carries bytes. `length` is set where a deferred length is settled by it."""

    offset: int
    size: int
    length: int | None = None
    checksum: Checksum | None = field(default=None)


def check_version(headers: Headers) -> None:
    """Tus-Resumable (protocol, "Tus-Resumable"): 412 with our version if it is not one that we speak."""
    if headers.get("Tus-Resumable") != VERSION:
        raise Problem("tus-version", f"Send the header Tus-Resumable: {VERSION}.", headers={"Tus-Version": VERSION})


def creation(headers: Headers) -> Creation:
    """Creation, with its defer-length and concatenation variants."""
    given = metadata(headers.get("Upload-Metadata") or "")
    length = number(headers, "Upload-Length")
    defer = headers.get("Upload-Defer-Length")
    part, parts = concat(headers.get("Upload-Concat"))
    if defer not in (None, "1"):
        raise Problem("bad-request", "Upload-Defer-Length can only be 1.")
    if part == "final" and (length is not None or defer):
        raise Problem("bad-request", "A final upload has the length of its parts: leave Upload-Length out.")
    if part != "final" and (length is None) == (defer is None):
        raise Problem("bad-request", "Send either Upload-Length or Upload-Defer-Length: 1.")
    filename = given.get("filename") or given.get("name", "")
    if not filename and part != "partial":
        raise Problem("bad-request", "Upload-Metadata must name the file: `filename <base64>`.")
    sha256 = given.get("sha256", "").lower() or None
    if sha256 and not is_sha256(sha256):
        raise Problem("bad-request", "The sha256 in Upload-Metadata must be 64 hex digits.")
    filetype = (given.get("filetype") or given.get("type", "")).partition(";")[0].strip().lower()
    return Creation(
        filename=filename,
        filetype=filetype if _MEDIA_TYPE.fullmatch(filetype) else "",
        sha256=sha256,
        metadata_header=headers.get("Upload-Metadata") or "",
        length=length,
        part=part,
        parts=parts,
    )


def metadata(header: str) -> dict[str, str]:
    """Upload-Metadata: comma-separated `key base64`; the value may be absent. Keys are unique and not empty."""
    found: dict[str, str] = {}
    for pair in header.split(",") if header.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if not key or not key.isascii() or key in found:
            raise Problem("bad-request", "Upload-Metadata has an empty, repeated or non-ASCII key.")
        try:
            found[key] = base64.b64decode(encoded.strip(), validate=True).decode()
        except ValueError:
            raise Problem("bad-request", f"The value of {key!r} in Upload-Metadata is not base64 of UTF-8.") from None
    return found


def concat(header: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Upload-Concat: `partial`, or `final;` with addresses of partial uploads, absolute or relative, in order."""
    if header is None or header == "partial":
        return header, ()
    word, _, urls = header.partition(";")
    ids = tuple(url.rstrip("/").rpartition("/")[2] for url in urls.split())
    if word != "final" or not 0 < len(ids) <= MAX_PARTS:
        raise Problem("bad-request", f"Upload-Concat is `partial`, or `final;` with 1 to {MAX_PARTS} upload addresses.")
    return word, ids


def append(headers: Headers) -> Append:
    """The head of a PATCH. Content-Length is required: a chunked body cannot be checked against limits beforehand."""
    if content_type(headers) != BODY_TYPE:
        raise Problem("media-type", f"Send bytes with Content-Type: {BODY_TYPE}.")
    offset = number(headers, "Upload-Offset")
    if offset is None:
        raise Problem("bad-request", "The header Upload-Offset is missing.")
    size = number(headers, "Content-Length")
    if size is None:
        raise Problem("length-required", "Send the bytes with a Content-Length, not chunked.")
    return Append(offset, size, number(headers, "Upload-Length"), checksum(headers.get("Upload-Checksum")))


def is_sha256(text: str) -> bool:
    """64 lower-case hex digits."""
    return bool(_SHA256.fullmatch(text))


def content_type(headers: Headers) -> str:
    return (headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def checksum(header: str | None) -> Checksum | None:
    """Upload-Checksum: `<algorithm> <base64 digest>`. 400 for an algorithm that OPTIONS does not list."""
    if header is None:
        return None
    algorithm, _, encoded = header.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise Problem("bad-request", f"Upload-Checksum: the algorithms are {', '.join(ALGORITHMS)}.")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise Problem("bad-request", f"Upload-Checksum does not hold the base64 of a {algorithm} digest.")
    return Checksum(algorithm, digest)


def number(headers: Headers, name: str) -> int | None:
    """A header that must be a non-negative integer where it is present."""
    value = headers.get(name)
    if value is None or value == "":
        return None
    if not _DIGITS.fullmatch(value):
        raise Problem("bad-request", f"{name} must be a non-negative integer.")
    return int(value)


def http_date(moment: datetime) -> str:
    """Upload-Expires: an IMF-fixdate (RFC 9110, section 5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def discovery(max_size: int) -> dict[str, str]:
    """What OPTIONS answers ("Core protocol", OPTIONS)."""
    return {
        "Tus-Version": VERSION,
        "Tus-Max-Size": str(max_size),
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


class MethodOverride:
    """X-HTTP-Method-Override, for clients that can send nothing but GET and POST. WSGI middleware."""

    ALLOWED = frozenset({"PATCH", "DELETE", "HEAD"})

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        wanted = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        if environ["REQUEST_METHOD"] == "POST" and wanted in self.ALLOWED:
            environ["REQUEST_METHOD"] = wanted
        return self._app(environ, start_response)
