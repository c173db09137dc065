"""From an upload whose bytes are all there to an asset.

The original is sealed under its final key first, then one transaction writes the asset, its outbox row and its usage.
A crash between the two leaves an upload in RECEIVED; whoever finishes it next (a client's HEAD, the sweep) comes to the
same asset id, the same key and the same usage events, so nothing is made or counted twice.
"""

import hashlib
from dataclasses import dataclass

import structlog

from infra.errors import Problem
from tenants import arrivals, blocklist, catalog, contributions, quota
from tenants.names import original_key
from tenants.scope import Site
from tenants.usage import Meter
from uploader import locks, offload
from uploader.locks import Lease
from uploader.session import Part, Upload, UploadState, bury, expiry

log = structlog.get_logger(__name__)

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Finished:
    """`duplicate_of` is an older asset of the tenant with the same bytes."""

    asset_id: str
    duplicate_of: str | None


@dataclass(frozen=True)
class _Facts:
    asset_id: str
    length: int
    declared_sha256: str | None


def finish(site: Site, lease: Lease, sha256: str | None) -> Finished:
    """Make the asset. `sha256` is of all stored bytes, None to have them read. The caller holds the lease.

    Raises `Problem` if the file cannot become an asset (its declared SHA-256 differs, its album is gone); the upload
    is a tombstone then. Raises `LeaseLost`, `StorageFull`.
    """
    facts = offload.database(_facts, site, lease)
    if sha256 is None:
        offload.database(locks.extend, site, lease, facts.length)
        sha256 = offload.call(offload.BYTES, digest, site, lease.key, facts.length)
    if facts.declared_sha256 not in (None, sha256):
        _give_up(site, lease)
        raise Problem("checksum-mismatch", "The file differs from the SHA-256 it was announced with. Send it again.")
    original = original_key(site.tenant_id, facts.asset_id, sha256)
    offload.call(
        offload.BYTES, site.intake.seal, lease.key, facts.length, original, content_type="application/octet-stream"
    )
    try:
        finished = offload.database(_commit, site, lease, sha256)
    except Problem:
        _give_up(site, lease)
        offload.call(offload.BYTES, site.blobs.delete, original)
        raise
    offload.call(offload.BYTES, site.intake.discard, lease.key)
    return finished


def digest(site: Site, key: str, length: int) -> str:
    """SHA-256 of stored bytes, in constant memory; hex."""
    running = hashlib.sha256()
    with site.intake.read(key, length) as stream:
        while chunk := stream.read(_CHUNK):
            running.update(chunk)
    return running.hexdigest()


def _facts(site: Site, lease: Lease) -> _Facts:
    upload = locks.held(site, lease)
    return _Facts(upload.asset_id, upload.offset, upload.declared_sha256)


def _commit(site: Site, lease: Lease, sha256: str) -> Finished:
    upload = locks.held(site, lease)
    if upload.state is UploadState.FINISHED:
        return Finished(upload.asset_id, upload.duplicate_of)
    album = catalog.album_by_id(site.session, site.tenant_id, upload.album_id)
    if album is None:
        raise Problem("gone", "The album was removed while the file was on its way.")
    blocklist.refuse_blocked(site.session, sha256)
    quota.settle(site, upload.reserved, upload.offset)
    upload.reserved = 0
    asset = arrivals.add(site, album, upload.asset_id, upload.filename, sha256, upload.offset)
    site.use(f"upload:{asset.id}", Meter.UPLOADED, asset.size, album_id=album.id, asset_id=asset.id)
    contributions.arrived(site.session, album, asset, now=site.now())
    upload.state = UploadState.FINISHED
    upload.finished_at = site.now()
    upload.sha256 = sha256
    # A guest is not told what else the tenant has.
    upload.duplicate_of = None if asset.held else asset.duplicate_of
    locks.let_go(upload)
    upload.expires_at = expiry(site.now())
    finished = Finished(asset.id, upload.duplicate_of)
    site.session.commit()
    return finished


def _give_up(site: Site, lease: Lease) -> None:
    def commit() -> None:
        bury(locks.held(site, lease), site.now())
        site.session.commit()

    offload.database(commit)
    offload.call(offload.BYTES, site.intake.discard, lease.key)


def is_unfinished(upload: Upload) -> bool:
    """All bytes are there but the asset is not: the process that took the last ones was killed."""
    return upload.state is UploadState.RECEIVED and upload.part is not Part.PARTIAL
