"""An upload as a row and as a state machine. Every upload server works from this row and from nothing else.

RECEIVING -> RECEIVED (all bytes are committed) -> FINISHED (the asset exists); any of them -> GONE (terminated, expired
or refused at the end), which stays for a while as a tombstone so that a client hears 410 instead of 404. A partial
upload of the concatenation extension rests in RECEIVED.
"""

import enum
from datetime import datetime, timedelta

from sqlalchemy import JSON, BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, object_session
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from tenants import contributions, quota
from tenants.catalog import Album, album_by_id
from tenants.db import Base, TenantOwned, belongs_to
from tenants.filenames import clean_filename
from tenants.names import ID_LENGTH, intake_key, is_id, new_id
from tenants.scope import Site, settings
from tenants.tickets import Ticket
from uploader.protocol import Creation


class UploadState(enum.Enum):
    RECEIVING = "receiving"
    RECEIVED = "received"
    FINISHED = "finished"
    GONE = "gone"


class Part(enum.Enum):
    """The concatenation extension: PARTIAL uploads become one FINAL; everything else is WHOLE."""

    WHOLE = "whole"
    PARTIAL = "partial"
    FINAL = "final"


class Upload(TenantOwned, Base):
    __tablename__ = "uploads"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        Index("ix_uploads_sweep", "state", "expires_at"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    """Fixed at creation, which makes finishing idempotent: the same upload can only ever become this asset."""
    stored_as: Mapped[str] = mapped_column(String(ID_LENGTH))
    """Under which id the intake has the bytes. Changes when a lease is taken from a holder that may still be alive."""
    filename: Mapped[str] = mapped_column(String(255))
    declared_type: Mapped[str] = mapped_column(String(100))
    declared_sha256: Mapped[str | None] = mapped_column(String(64))
    metadata_header: Mapped[str] = mapped_column(Text)
    """Upload-Metadata as it was sent, for HEAD to repeat."""
    part: Mapped[Part] = mapped_column(ChoiceType(Part, impl=String(8)), default=Part.WHOLE)
    parts: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Ids of the partial uploads that a FINAL one joins, in order."""
    length: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes; None while it is deferred."""
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    """Committed bytes: what the client may count on."""
    max_bytes: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Bytes of the tenant's storage that are taken for this upload until its asset exists (`tenants/quota.py`)."""
    photo_month: Mapped[str] = mapped_column(String(7), default="", server_default="")
    """The month of whose photos this is one; empty where photos are not limited, and for videos and partial uploads."""
    state: Mapped[UploadState] = mapped_column(ChoiceType(UploadState, impl=String(10)), default=UploadState.RECEIVING)
    sha256: Mapped[str | None] = mapped_column(String(64))
    duplicate_of: Mapped[str | None] = mapped_column(String(ID_LENGTH))

    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_holder: Mapped[str] = mapped_column(String(64), default="")
    lease_until: Mapped[datetime | None]

    created_at: Mapped[datetime]
    received_at: Mapped[datetime | None]
    """When the last byte was committed."""
    finished_at: Mapped[datetime | None]
    """When the asset was made."""
    expires_at: Mapped[datetime]
    """When an idle upload is given up; for a tombstone or a finished upload, when its row goes."""

    @property
    def key(self) -> str:
        """Where the intake keeps the bytes."""
        return intake_key(self.tenant_id, self.stored_as)


def expiry(now: datetime) -> datetime:
    return now + timedelta(seconds=settings().upload_expiry)


def album_of(site: Site, ticket: Ticket) -> Album:
    """The ticket's album. Raises 404 if it is gone, 403 if the tenant may not write now."""
    album = album_by_id(site.session, site.tenant_id, ticket.album)
    if album is None:
        raise Problem("not-found", "The album of this ticket was removed.")
    if not site.entitlements.writable:
        raise Problem("forbidden", "This account is read-only at the moment: nothing can be uploaded.")
    return album


def create(site: Site, ticket: Ticket, wanted: Creation) -> Upload:
    """A new upload within the current transaction; refuses early what could never be accepted."""
    album = album_of(site, ticket)
    if wanted.part != "final":  # Of one in parts, the parts were taken.
        quota.refuse_over_budget(site, guest=bool(ticket.link))
    limit = min(ticket.max_bytes, site.entitlements.max_upload_bytes)
    if wanted.length is not None:
        check_length(wanted.length, limit)
    if wanted.filetype and not ticket.accepts(wanted.filetype):
        raise Problem("media-type", f"{wanted.filetype} is not accepted in this album.")
    if ticket.link and (wanted.length is None or wanted.part is not None):
        raise Problem("bad-request", "Guests send each file whole, and say its length first.")
    parts = _parts(site, ticket, wanted.parts)
    length = wanted.length
    if wanted.part is not None and parts:
        length = sum(part.offset for part in parts)
        check_length(length, limit)
    reserved = _reserve(site, length, parts)
    upload_id = new_id()
    upload = Upload(
        tenant_id=site.tenant_id,
        id=upload_id,
        album_id=album.id,
        asset_id=new_id(),
        stored_as=upload_id,
        filename=clean_filename(wanted.filename),
        declared_type=wanted.filetype,
        declared_sha256=wanted.sha256,
        metadata_header=wanted.metadata_header,
        part=Part(wanted.part or "whole"),
        parts=[part.id for part in parts],
        length=length,
        max_bytes=limit,
        reserved=reserved,
        photo_month=quota.take_photo(site) if _may_be_photo(wanted) else "",
        created_at=site.now(),
        expires_at=expiry(site.now()),
    )
    site.session.add(upload)
    site.session.flush()
    if ticket.link and length is not None:
        link = contributions.open_link(site.session, site.tenant_id, ticket.link, site.now())
        contributions.announce(site.session, link, ticket.guest, upload.asset_id, length, now=site.now())
    return upload


def _reserve(site: Site, length: int | None, parts: list[Upload]) -> int:
    """Take storage for an upload that announces its length; what its parts have taken goes over to it.

    Raises `Problem` before a byte was sent. A deferred length is taken as bytes are announced (`accept_patch`).
    """
    if length is None:
        return 0
    quota.take(site, length - sum(part.reserved for part in parts))
    for part in parts:
        part.reserved = 0
    return length


def _may_be_photo(wanted: Creation) -> bool:
    """The content decides later; until then what is not called a video counts as a photo."""
    return wanted.part != "partial" and not wanted.filetype.startswith("video/")


def reserve_more(site: Site, upload: Upload, size: int) -> None:
    """Take what bytes of a deferred length need beyond what is taken, before they are read. Raises `Problem`."""
    end = upload.length if upload.length is not None else upload.offset + size
    if upload.part is not Part.FINAL and end > upload.reserved:
        quota.take(site, end - upload.reserved)
        upload.reserved = end


def check_length(length: int, limit: int) -> None:
    if length == 0:
        raise Problem("invalid", "The file is empty: there is nothing to show.", field="Upload-Length")
    if length > limit:
        raise Problem("too-large", f"Files may have at most {limit:,} bytes; this one has {length:,}.")


def _parts(site: Site, ticket: Ticket, ids: tuple[str, ...]) -> list[Upload]:
    """The partial uploads to join. `concatenation-unfinished` is not announced, so each must be complete."""
    parts = []
    for upload_id in ids:
        part = find(site, ticket, upload_id)
        if part.part is not Part.PARTIAL:
            raise Problem("bad-request", f"{upload_id} is not a partial upload.")
        if part.state is not UploadState.RECEIVED:
            raise Problem("conflict", f"The partial upload {upload_id} is not complete yet.")
        parts.append(part)
    return parts


def find(site: Site, ticket: Ticket, upload_id: str, *, lock: bool = False) -> Upload:
    """The upload, if it is of the ticket's tenant, album and guest. Raises 404, or 410 for one that was there."""
    upload = (
        site.session.get(Upload, (site.tenant_id, upload_id), populate_existing=True, with_for_update=lock)
        if is_id(upload_id)
        else None
    )
    if upload is None or upload.album_id != ticket.album or not _may_touch(site, ticket, upload):
        raise Problem("not-found", "There is no such upload.")
    if upload.state is UploadState.GONE or (upload.expires_at <= site.now() and upload.lease_token is None):
        raise Problem("gone", "This upload has expired or was removed. Start it again.")
    return upload


def _may_touch(site: Site, ticket: Ticket, upload: Upload) -> bool:
    return not ticket.link or contributions.is_from(site.session, site.tenant_id, upload.asset_id, ticket.guest)


def accept_patch(upload: Upload, offset: int, size: int, declared_length: int | None) -> None:
    """Check a PATCH of `size` bytes at `offset` against the row, settling a deferred length if it names one."""
    if upload.part is Part.FINAL:
        raise Problem("forbidden", "A final upload is made of its parts; nothing can be added to it.")
    if offset != upload.offset:
        raise Problem(
            "offset-conflict",
            f"The upload stands at {upload.offset}.",
            headers={"Upload-Offset": str(upload.offset)},
            offset=upload.offset,
        )
    if declared_length is not None and declared_length != upload.length:
        if upload.length is not None:
            raise Problem("bad-request", f"Upload-Length was given as {upload.length} before and cannot change.")
        check_length(declared_length, upload.max_bytes)
        if declared_length < upload.offset:
            raise Problem("bad-request", "Upload-Length is less than what has arrived already.")
        upload.length = declared_length
    end = offset + size
    if upload.length is not None and end > upload.length:
        raise Problem("too-large", f"The upload was announced with {upload.length} bytes; these would make {end}.")
    if end > upload.max_bytes:
        raise Problem("too-large", f"Files may have at most {upload.max_bytes:,} bytes.")


def bury(upload: Upload, now: datetime, keep: timedelta = timedelta(days=7)) -> None:
    """Make the row a tombstone; the caller discards the bytes after its commit."""
    session = object_session(upload)
    if session is not None and upload.state is not UploadState.FINISHED:
        contributions.withdraw(session, upload.tenant_id, upload.asset_id)
        quota.give_back(session, upload.tenant_id, upload.reserved)
        quota.give_photo_back(session, upload.tenant_id, upload.photo_month)
        upload.reserved, upload.photo_month = 0, ""
    upload.state = UploadState.GONE
    upload.lease_token = None
    upload.expires_at = now + keep
