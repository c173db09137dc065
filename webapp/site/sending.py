"""Stored objects as responses: validators, conditional requests and ranges (RFC 9110, sections 8.8, 13 and 14)."""

from collections.abc import Iterable
from typing import BinaryIO
from unicodedata import normalize
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import ContentRange
from werkzeug.http import dump_options_header, is_resource_modified, quote_etag
from werkzeug.wsgi import wrap_file

from infra.errors import BlobMissing, Problem
from infra.ports import BlobInfo
from tenants.scope import TenantBlobs


def send_blob(
    blobs: TenantBlobs, key: str, *, content_type: str, cache: str, download_as: str | None = None
) -> Response:
    """As `send_stored`; raises `Problem("not-found")` where there is no such object."""
    try:
        return send_stored(blobs, key, content_type=content_type, cache=cache, download_as=download_as)
    except BlobMissing:
        raise Problem("not-found") from None


def send_stored(
    blobs: TenantBlobs, key: str, *, content_type: str, cache: str, download_as: str | None = None
) -> Response:
    """200, 206, 304 or 416, as the request's conditions and range ask. Raises `BlobMissing`."""
    info = blobs.stat(key)
    response = Response(content_type=content_type, direct_passthrough=True)
    response.set_etag(info.etag)
    response.last_modified = info.modified
    response.accept_ranges = "bytes"
    response.headers["Cache-Control"] = cache
    if download_as is not None:
        response.headers["Content-Disposition"] = disposition(download_as)
    if not is_resource_modified(request.environ, etag=quote_etag(info.etag), last_modified=info.modified):
        response.status_code = 304
        return response
    start, length = _window(info)
    response.content_length = length
    if length != info.size:
        response.status_code = 206
        response.content_range = ContentRange("bytes", start, start + length, info.size)
    if request.method != "HEAD":
        response.response = _body(blobs, key, start, length, info.size)
    return response


def disposition(filename: str) -> str:
    """`attachment` with the name in ASCII and, where that is not the whole truth, in UTF-8 (RFC 6266, section 4.3)."""
    plain = normalize("NFKD", filename).encode("ascii", "ignore").decode().strip() or "download"
    names = {"filename": plain}
    if plain != filename:
        names["filename*"] = f"UTF-8''{quote(filename, safe='')}"
    return dump_options_header("attachment", names)


def _window(info: BlobInfo) -> tuple[int, int]:
    """Start and length of what is asked for; the whole for several ranges at once, as section 14.2 allows."""
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or not _still_the_same(info):
        return 0, info.size
    window = asked.range_for_length(info.size)
    if window is None:
        size = {"Content-Range": f"bytes */{info.size}"}
        raise Problem("range", headers=size)
    return window[0], window[1] - window[0]


def _still_the_same(info: BlobInfo) -> bool:
    """If-Range (section 13.1.5): a range is of use only if the rest that the client holds has not changed."""
    condition = request.if_range
    if condition.etag is not None:
        return condition.etag == info.etag
    if condition.date is not None:
        return condition.date == info.modified.replace(microsecond=0)
    return True


def _body(blobs: TenantBlobs, key: str, start: int, length: int, size: int) -> Iterable[bytes]:
    whole = length == size
    file: BinaryIO = blobs.open(key) if whole else blobs.open(key, start, length)
    # With a real file the server sends it straight from the page cache (sendfile).
    return wrap_file(request.environ, file, 256 * 1024)
