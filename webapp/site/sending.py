"""Stored objects as responses: validators, conditional requests and ranges (RFC 9110, sections 8.8, 13 and 14)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast
from unicodedata import normalize
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import ContentRange
from werkzeug.http import dump_options_header, is_resource_modified, quote_etag
from werkzeug.wsgi import wrap_file

from infra.errors import BlobMissing, Problem
from tenants.blanks import Blanks
from tenants.scope import TenantBlobs
from webapp.delivered import counted


def send_blob(
    blobs: TenantBlobs,
    key: str,
    *,
    content_type: str,
    cache: str,
    download_as: str | None = None,
    blanks: Blanks | None = None,
) -> Response:
    """As `send_stored`; raises `Problem("not-found")` where there is no such object."""
    try:
        return send_stored(blobs, key, content_type=content_type, cache=cache, download_as=download_as, blanks=blanks)
    except BlobMissing:
        raise Problem("not-found") from None


def send_stored(
    blobs: TenantBlobs,
    key: str,
    *,
    content_type: str,
    cache: str,
    download_as: str | None = None,
    blanks: Blanks | None = None,
) -> Response:
    """200, 206, 304 or 416, as the request's conditions and range ask; with `blanks` laid over it. Raises
    `BlobMissing`."""
    info = blobs.stat(key)
    if blanks is not None and not blanks.patches:
        blanks = None
    etag = info.etag if blanks is None else f"{info.etag}-{blanks.crc32}"
    response, window = answer_for(Whole(info.size, etag, info.modified), content_type=content_type, cache=cache)
    response.direct_passthrough = True
    if download_as is not None:
        response.headers["Content-Disposition"] = disposition(download_as)
    if window is not None:
        response.response = _body(blobs, key, *window, info.size, blanks)
    return response


@dataclass(frozen=True)
class Whole:
    """What can be asked for in parts: bytes, and its validators. None: the time of change proves nothing."""

    size: int
    etag: str
    modified: datetime | None = None


def answer_for(whole: Whole, *, content_type: str, cache: str) -> tuple[Response, tuple[int, int] | None]:
    """The answer without its body, and start and length of the body; None if there is to be none. Raises 416."""
    response = Response(content_type=content_type)
    response.set_etag(whole.etag)
    response.last_modified = whole.modified
    response.accept_ranges = "bytes"
    response.headers["Cache-Control"] = cache
    if not is_resource_modified(request.environ, etag=quote_etag(whole.etag), last_modified=whole.modified):
        response.status_code = 304
        return response, None
    start, length = _window(whole)
    response.content_length = length
    if length != whole.size:
        response.status_code = 206
        response.content_range = ContentRange("bytes", start, start + length, whole.size)
    return response, None if request.method == "HEAD" else (start, length)


def disposition(filename: str) -> str:
    """`attachment` with the name in ASCII and, where that is not the whole truth, in UTF-8 (RFC 6266, section 4.3)."""
    plain = normalize("NFKD", filename).encode("ascii", "ignore").decode().strip() or "download"
    names = {"filename": plain}
    if plain != filename:
        names["filename*"] = f"UTF-8''{quote(filename, safe='')}"
    return dump_options_header("attachment", names)


def _window(whole: Whole) -> tuple[int, int]:
    """Start and length of what is asked for; the whole for several ranges at once, as section 14.2 allows."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or not _still_the_same(whole):
        return 0, whole.size
    window = asked.range_for_length(whole.size)
    if window is None:
        size = {"Content-Range": f"bytes */{whole.size}"}
        raise Problem("range", headers=size)
    return window[0], window[1] - window[0]


def _still_the_same(whole: Whole) -> bool:
    """If-Range (section 13.1.5): a range is of use only if the rest that the client holds has not changed."""
    condition = request.if_range
    if condition.etag is not None:
        return condition.etag == whole.etag
    if condition.date is not None:
        return whole.modified is not None and condition.date == whole.modified.replace(microsecond=0)
    return True


def _body(blobs: TenantBlobs, key: str, start: int, length: int, size: int, blanks: Blanks | None) -> Iterable[bytes]:
    whole = length == size
    file: BinaryIO = blobs.open(key) if whole else blobs.open(key, start, length)
    if blanks is not None:
        file = cast(BinaryIO, blanks.file(file, start))
        return wrap_file(request.environ, counted(file, blobs.tenant_id), 256 * 1024)
    # With a real file the server sends it straight from the page cache (sendfile).
    return wrap_file(request.environ, counted(file, blobs.tenant_id), 256 * 1024)
