"""The verbs of tus 1.0.0. A handler reads the ticket, then the head, then the row, and only then the body.

What uses the session is a function of its own and runs in the DATABASE lane (`offload`); none returns a row.
"""

from dataclasses import dataclass

import structlog
from flask import Blueprint, Response, request
from structlog.contextvars import bind_contextvars

from infra.errors import Problem
from infra.sql import reading
from tenants.scope import Site, settings, tally
from tenants.tickets import Ticket
from uploader import access, locks, offload, protocol, rawbody, session
from uploader.append import Standing, append, join, resume_finish
from uploader.finish import Finished, is_unfinished
from uploader.locks import Lease
from uploader.session import Part, Upload, UploadState

routes = Blueprint("tus", __name__)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class View:
    """What the answers tell of a row."""

    id: str
    offset: int
    length: int | None
    part: Part
    parts: tuple[str, ...]
    finished: Finished | None
    expires: str
    metadata_header: str


def _view(upload: Upload) -> View:
    done = upload.state is UploadState.FINISHED
    return View(
        id=upload.id,
        offset=upload.offset,
        length=upload.length,
        part=upload.part,
        parts=tuple(upload.parts),
        finished=Finished(upload.asset_id, upload.duplicate_of) if done else None,
        expires=protocol.http_date(upload.expires_at),
        metadata_header=upload.metadata_header,
    )


# --- Discovery -------------------------------------------------------------------------------------------------------


@routes.route("/files/", methods=["OPTIONS"])
@routes.route("/files/<upload_id>", methods=["OPTIONS"])
def options(upload_id: str = "") -> Response:
    """Discovery and CORS preflight in one; needs neither ticket nor Tus-Resumable."""
    return _empty(204, protocol.discovery(settings().max_upload_bytes))


# --- Creation --------------------------------------------------------------------------------------------------------


@routes.post("/files/")
def create() -> Response:
    """Creation, creation-with-upload and the final upload of a concatenation."""
    ticket = access.ticket()
    protocol.check_version(request.headers)
    wanted = protocol.creation(request.headers)
    size = _creation_body(wanted)
    checksum = protocol.checksum(request.headers.get("Upload-Checksum"))
    site = offload.database(access.site, ticket)
    view, lease, parts = offload.database(_create, site, ticket, wanted, size)
    bind_contextvars(upload=view.id)
    standing: Standing | None = None
    if wanted.part == "final" and lease is not None:
        standing = join(site, lease, parts)
    elif lease is not None:
        standing = _take_in(site, lease, size, checksum)
    headers = {"Location": f"/files/{view.id}", "Upload-Expires": view.expires}
    return _answer(201, standing, headers)


def _creation_body(wanted: protocol.Creation) -> int:
    """How many bytes come with the creation; checked before any is read."""
    size = protocol.number(request.headers, "Content-Length") or 0
    if "Transfer-Encoding" in request.headers:
        raise Problem("length-required", "Send the bytes with a Content-Length, not chunked.")
    if size == 0:
        return 0
    if wanted.part == "final":
        raise Problem("bad-request", "A final upload is made of its parts and takes no bytes.")
    if protocol.content_type(request.headers) != protocol.BODY_TYPE:
        raise Problem("media-type", f"Send bytes with Content-Type: {protocol.BODY_TYPE}.")
    if wanted.length is not None and size > wanted.length:
        raise Problem("too-large", f"The upload was announced with {wanted.length} bytes; these are {size}.")
    return size


def _create(
    site: Site, ticket: Ticket, wanted: protocol.Creation, size: int
) -> tuple[View, Lease | None, list[tuple[str, int]]]:
    upload = session.create(site, ticket, wanted)
    if size > upload.max_bytes:
        raise Problem("too-large", f"Files may have at most {upload.max_bytes:,} bytes.")
    session.reserve_more(site, upload, size)
    lease = locks.acquire(site, upload) if size or upload.part is Part.FINAL else None
    parts = [session.find(site, ticket, part) for part in upload.parts]
    found = _view(upload), lease, [(part.key, part.offset) for part in parts]
    site.session.commit()
    return found


# --- Bytes -----------------------------------------------------------------------------------------------------------


@routes.patch("/files/<upload_id>")
def patch(upload_id: str) -> Response:
    """Append the body at Upload-Offset. Answers once the bytes are committed."""
    ticket = access.ticket()
    protocol.check_version(request.headers)
    head = protocol.append(request.headers)
    site = offload.database(access.site, ticket)
    view, lease = offload.database(_open, site, ticket, upload_id, head)
    if lease is None:
        standing = Standing(view.offset, view.finished)
    else:
        standing = _take_in(site, lease, head.size, head.checksum)
    return _answer(204, standing, {"Upload-Expires": view.expires})


def _take_in(site: Site, lease: Lease, size: int, checksum: protocol.Checksum | None) -> Standing:
    """Append the request's body, and count what of it was kept as the tenant's `upload.bytes`."""
    standing = append(site, lease, rawbody.open_body(request.environ, size), checksum)
    tally().add("upload.bytes", standing.offset - lease.offset, unit="Bytes", tenant=site.tenant_id)
    return standing


def _open(site: Site, ticket: Ticket, upload_id: str, head: protocol.Append) -> tuple[View, Lease | None]:
    """Check the request against the row and take the lease; no lease if there is nothing left to do."""
    session.album_of(site, ticket)
    upload = session.find(site, ticket, upload_id, lock=True)
    if upload.state is UploadState.RECEIVING:
        # First the lease: while another request writes, the row's offset is about to change.
        lease: Lease | None = locks.acquire(site, upload)
    else:
        lease = locks.acquire(site, upload) if is_unfinished(upload) else None
    try:
        session.accept_patch(upload, head.offset, head.size, head.length)
        session.reserve_more(site, upload, head.size)
        site.session.commit()
    except BaseException:
        site.session.rollback()
        if lease is not None:
            locks.forget(lease)
        raise
    return _view(upload), lease


# --- State and end ---------------------------------------------------------------------------------------------------


@routes.route("/files/<upload_id>", methods=["HEAD"])
def head(upload_id: str) -> Response:
    """Where the upload stands. Finishes one whose last request was cut short after its bytes were committed."""
    ticket = access.ticket()
    protocol.check_version(request.headers)
    site = offload.database(access.site, ticket)
    view, unfinished = offload.database(_look, site, ticket, upload_id)
    finished = view.finished
    if unfinished:
        lease = offload.database(_lease, site, ticket, upload_id)
        finished = resume_finish(site, lease) if lease is not None else None
    headers = {"Cache-Control": "no-store", "Upload-Expires": view.expires}
    if view.metadata_header:
        headers["Upload-Metadata"] = view.metadata_header
    if view.length is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(view.length)
    if view.part is Part.PARTIAL:
        headers["Upload-Concat"] = "partial"
    elif view.part is Part.FINAL:
        headers["Upload-Concat"] = "final;" + " ".join(f"/files/{part}" for part in view.parts)
    joined = view.part is not Part.FINAL or view.offset == view.length
    return _answer(200, Standing(view.offset, finished) if joined else None, headers)


def _look(site: Site, ticket: Ticket, upload_id: str) -> tuple[View, bool]:
    with reading():
        upload = session.find(site, ticket, upload_id)
        return _view(upload), is_unfinished(upload)


def _lease(site: Site, ticket: Ticket, upload_id: str) -> Lease | None:
    upload = session.find(site, ticket, upload_id, lock=True)
    if not is_unfinished(upload) or not locks.is_free(upload, site.now()):
        return None
    lease = locks.acquire(site, upload)
    site.session.commit()
    return lease


@routes.delete("/files/<upload_id>")
def terminate(upload_id: str) -> Response:
    """Termination: the bytes go, and the address answers 410 from now on. A finished upload keeps its asset."""
    ticket = access.ticket()
    protocol.check_version(request.headers)
    site = offload.database(access.site, ticket)
    key = offload.database(_terminate, site, ticket, upload_id)
    offload.call(offload.BYTES, site.intake.discard, key)
    return _empty(204)


def _terminate(site: Site, ticket: Ticket, upload_id: str) -> str:
    upload = session.find(site, ticket, upload_id, lock=True)
    if not locks.is_free(upload, site.now()):
        raise Problem("locked", "Another request is writing to this upload. Try again shortly.")
    key = upload.key
    session.bury(upload, site.now())
    site.session.commit()
    return key


# --- Answers ---------------------------------------------------------------------------------------------------------


def _answer(status: int, standing: Standing | None, headers: dict[str, str]) -> Response:
    """The response of a verb; raises the `Problem` that ended its body early, with the offset to resume from."""
    if standing is not None:
        headers["Upload-Offset"] = str(standing.offset)
        if isinstance(standing.trouble, Problem):
            standing.trouble.headers.update(headers)
            raise standing.trouble
        if standing.finished is not None:
            log.info("upload finished", asset=standing.finished.asset_id, size=standing.offset)
            headers.update(asset_headers(standing.finished))
    return _empty(status, headers)


def asset_headers(finished: Finished) -> dict[str, str]:
    headers = {"Upload-Asset": finished.asset_id}
    if finished.duplicate_of is not None:
        headers["Upload-Duplicate-Of"] = finished.duplicate_of
    return headers


def _empty(status: int, headers: dict[str, str] | None = None) -> Response:
    response = Response(status=status, headers=headers)
    response.headers.pop("Content-Type", None)
    return response
