"""Bytes onto an upload, whoever brings them: a PATCH, a creation with upload, a join of parts, the import command."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog

from infra.errors import BlobMissing, Problem, StorageFull
from tenants.scope import Site
from uploader import locks, offload
from uploader.finish import Finished, finish
from uploader.locks import Lease, LeaseLost
from uploader.protocol import Checksum
from uploader.rawbody import Body, Disconnected
from uploader.receive import Receiver
from uploader.session import Part, UploadState, bury, expiry

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Standing:
    """Where the upload is after a request. `trouble` says why the request's bytes ended early."""

    offset: int
    finished: Finished | None = None
    trouble: Problem | Disconnected | None = None


@contextmanager
def holding(site: Site, lease: Lease) -> Iterator[Lease]:
    """Work under a lease: former holders are shut out first, and it is given back whatever happens."""
    try:
        yield lease if lease.fenced else fence(site, lease)
    except LeaseLost:
        raise Problem("locked", "Another request took this upload over. Ask for its offset and resume.") from None
    except StorageFull:
        raise Problem("disk-full", "What was acknowledged is kept. Resume later.") from None
    finally:
        if locks.is_held(lease):
            offload.database(locks.release, site, lease)


def fence(site: Site, lease: Lease) -> Lease:
    """Shut out a former holder that may still be alive, by moving the acknowledged bytes. Reads them all."""
    moved = locks.moved(lease)
    if lease.offset:
        offload.call(offload.BYTES, site.intake.join, [(lease.key, lease.offset)], moved.key)
    offload.database(locks.move, site, lease, moved)
    offload.call(offload.BYTES, site.intake.discard, lease.key)
    return moved


def append(site: Site, lease: Lease, body: Body, checksum: Checksum | None = None) -> Standing:
    """Take in a body, then finish the upload if that was the last of it. Blocking work runs off the event loop."""
    with holding(site, lease) as held:
        try:
            writer = offload.call(offload.BYTES, site.intake.writer, held.key, held.offset)
        except BlobMissing:
            _lose(site, held)
            raise Problem("gone", "The stored part of this upload is gone. Start it again.") from None
        try:
            receiver = Receiver(held, writer, checksum)
            arrived = receiver.run(body)
        finally:
            body.close()
            writer.close()
        standing = Standing(arrived.offset, trouble=arrived.trouble)
        if offload.database(_settle, site, held, arrived.offset):
            standing = replace(standing, finished=finish(site, held, arrived.sha256))
        return standing


def join(site: Site, lease: Lease, parts: list[tuple[str, int]]) -> Standing:
    """Make a final upload of its parts: `(intake key, length)` in order."""
    with holding(site, lease) as held:
        total = sum(length for _, length in parts)
        offload.database(locks.extend, site, held, 2 * total)
        try:
            offload.call(offload.BYTES, site.intake.join, parts, held.key)
        except BlobMissing:
            _lose(site, held)
            raise Problem("gone", "A part of this upload is gone. Start it again.") from None
        offload.database(_settle, site, held, total)
        return Standing(total, finish(site, held, None))


def resume_finish(site: Site, lease: Lease) -> Finished:
    """Finish an upload whose last bytes were taken by a process that did not live to do it."""
    with holding(site, lease) as held:
        return finish(site, held, None)


def _settle(site: Site, lease: Lease, offset: int) -> bool:
    """Write the offset down; whether the upload is complete and to be finished, with the lease kept for that."""
    upload = locks.held(site, lease)
    complete = upload.length is not None and offset == upload.length
    to_finish = complete and upload.part is not Part.PARTIAL
    if complete:
        upload.state = UploadState.RECEIVED
        upload.received_at = upload.received_at or site.now()
    upload.offset = offset
    upload.expires_at = expiry(site.now())
    if not to_finish:
        locks.let_go(upload)
    site.session.commit()
    return to_finish


def _lose(site: Site, lease: Lease) -> None:
    """The row promises bytes that the store has not: a tombstone tells the client to start again."""
    log.error("acknowledged bytes are missing", tenant=lease.tenant_id, upload=lease.upload_id)

    def commit() -> None:
        bury(locks.held(site, lease), site.now())
        site.session.commit()

    offload.database(commit)
