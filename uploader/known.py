"""Files that the tenant has already: a client that hashes first may offer to reuse them instead of sending them."""

import mimetypes
from typing import Any, TypeGuard

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select

from infra.errors import BlobMissing, Problem
from infra.sql import reading
from tenants import arrivals, blocklist, quota
from tenants.catalog import Asset, AssetState
from tenants.names import new_id, original_key
from tenants.scope import Site
from tenants.tickets import Ticket
from uploader import access, offload, protocol, session
from uploader.finish import Finished
from uploader.routes import asset_headers

routes = Blueprint("known", __name__)

MAX_KNOWN = 500
MAX_JSON = 64 * 1024


@routes.post("/files/known")
def which_are_known() -> Response:
    """`{"sha256": [...]}` to `{"known": {sha256: {asset, album, filename}}}`, for a client that offers to reuse."""
    ticket = access.ticket()
    access.members_only(ticket)
    hashes = _json().get("sha256")
    if not isinstance(hashes, list) or len(hashes) > MAX_KNOWN or not all(_is_sha256(h) for h in hashes):
        raise Problem("bad-request", f"`sha256` must be a list of at most {MAX_KNOWN} SHA-256 in lower-case hex.")
    site = offload.database(access.site, ticket)
    return jsonify(known=offload.database(_known, site, hashes))


def _known(site: Site, hashes: list[str]) -> dict[str, dict[str, str]]:
    with reading():
        return {
            sha256: {"asset": asset.id, "album": asset.album_id, "filename": asset.filename}
            for sha256, asset in known(site, hashes).items()
        }


@routes.post("/files/reuse")
def reuse_known() -> Response:
    """`{"sha256", "filename"}`: an asset in the ticket's album from an original that is stored, without sending it."""
    ticket = access.ticket()
    access.members_only(ticket)
    given = _json()
    sha256, filename = given.get("sha256"), given.get("filename")
    if not _is_sha256(sha256) or not isinstance(filename, str) or not filename.strip():
        raise Problem("bad-request", "Send `sha256` (64 hex digits, lower case) and `filename`.")
    site = offload.database(access.site, ticket)
    finished = _reuse(site, ticket, filename, sha256)
    response = jsonify(asset=finished.asset_id, duplicate_of=finished.duplicate_of)
    response.status_code = 201
    response.headers.update(asset_headers(finished))
    return response


def _reuse(site: Site, ticket: Ticket, filename: str, sha256: str) -> Finished:
    """A new asset of the ticket's album with its own copy. Copying takes its time: no transaction meanwhile."""
    twin_id, size = offload.database(_twin, site, ticket, sha256)
    asset_id = new_id()
    original = original_key(site.tenant_id, asset_id, sha256)
    try:
        offload.call(offload.BYTES, site.blobs.copy, original_key(site.tenant_id, twin_id, sha256), original)
    except BlobMissing:
        raise _unknown() from None
    try:
        return offload.database(_add, site, ticket, asset_id, filename, sha256, size)
    except Problem:
        offload.call(offload.BYTES, site.blobs.delete, original)
        raise


def _twin(site: Site, ticket: Ticket, sha256: str) -> tuple[str, int]:
    with reading():
        session.album_of(site, ticket)
        twin = known(site, [sha256]).get(sha256)
        if twin is None:
            raise _unknown()
        return twin.id, twin.size


def _add(site: Site, ticket: Ticket, asset_id: str, filename: str, sha256: str, size: int) -> Finished:
    blocklist.refuse_blocked(site.session, sha256)
    quota.refuse_over_budget(site)
    quota.take(site, size)
    if not (mimetypes.guess_type(filename)[0] or "").startswith("video/"):
        quota.take_photo(site)
    asset = arrivals.add(site, session.album_of(site, ticket), asset_id, filename, sha256, size)
    finished = Finished(asset.id, asset.duplicate_of)
    site.session.commit()
    return finished


def _unknown() -> Problem:
    return Problem("not-found", "No file with this SHA-256 is stored. Upload it.")


def _json() -> dict[str, Any]:
    request.max_content_length = MAX_JSON
    given = request.get_json(silent=True)
    if not isinstance(given, dict):
        raise Problem("bad-request", "Send a JSON object.")
    return given


def _is_sha256(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and protocol.is_sha256(value)


def known(site: Site, hashes: list[str]) -> dict[str, Asset]:
    """The oldest living asset of the tenant for each SHA-256 that it has; what was refused does not count."""
    statement = (
        select(Asset)
        .where(
            Asset.sha256.in_(hashes),
            Asset.deleted_at.is_(None),
            Asset.state.not_in((AssetState.REJECTED, AssetState.FAILED)),
        )
        .order_by(Asset.id.desc())
    )
    return {asset.sha256: asset for asset in site.session.scalars(statement)}
