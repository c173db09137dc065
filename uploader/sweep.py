"""What uploads leave behind: idle ones, bytes without a row, finished and buried rows."""

from collections import Counter
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from ulid import ULID

from infra.errors import Problem
from infra.sql import reading
from tenants import quota
from tenants.db import across_tenants, db
from tenants.names import intake_prefix, is_id
from tenants.registry import Tenant
from tenants.scope import Site, open_site
from uploader import locks
from uploader.append import resume_finish
from uploader.session import Part, Upload, UploadState, bury

log = structlog.get_logger(__name__)

# Bytes without a row are left alone while they are young: a lease that is being taken over copies before it commits.
ORPHAN_AGE = timedelta(hours=6)


def sweep_all() -> Counter[str]:
    """Sweep every tenant; how many things of which kind were done."""
    session = db.session()
    with reading(), across_tenants(session, "sweep uploads"):
        tenants = list(session.scalars(select(Tenant.id)))
    session.rollback()
    done: Counter[str] = Counter()
    for tenant_id in tenants:
        with open_site(tenant_id) as site:
            done += sweep_tenant(site)
    if done:
        log.info("uploads swept", **done)
    return done


def sweep_tenant(site: Site) -> Counter[str]:
    done: Counter[str] = Counter()
    for upload_id in _ids(site, Upload.state == UploadState.RECEIVED, Upload.part != Part.PARTIAL):
        done["finished"] += _finish(site, upload_id)
    for upload_id in _ids(site, Upload.state != UploadState.FINISHED, Upload.expires_at <= site.now()):
        done["expired"] += _expire(site, upload_id)
    for upload_id in _ids(site, Upload.state == UploadState.FINISHED, Upload.expires_at <= site.now()):
        done["forgotten"] += _forget(site, upload_id)
    done["orphans"] += _discard_orphans(site)
    done["recounted"] += _recount(site)
    return +done


def _recount(site: Site) -> bool:
    """What an upload server of another release did not count, say."""
    if site.entitlements.max_storage_bytes is None:
        return False
    wrong = quota.recount(site)
    site.session.commit()
    if wrong:
        log.warning("the count of stored bytes was wrong", bytes=wrong)
    return bool(wrong)


def _ids(site: Site, *conditions: object) -> list[str]:
    with reading():
        found = list(site.session.scalars(select(Upload.id).where(*conditions)))  # type: ignore[arg-type]
    site.session.rollback()
    return found


def _locked(site: Site, upload_id: str) -> Upload | None:
    """The row for writing, unless it is gone or someone is at work on it."""
    upload = site.session.get(Upload, (site.tenant_id, upload_id), populate_existing=True, with_for_update=True)
    return upload if upload is not None and locks.is_free(upload, site.now()) else None


def _finish(site: Site, upload_id: str) -> bool:
    upload = _locked(site, upload_id)
    if upload is None or upload.state is not UploadState.RECEIVED:
        site.session.rollback()
        return False
    lease = locks.acquire(site, upload)
    site.session.commit()
    try:
        resume_finish(site, lease)
    except Problem as problem:
        log.warning("an upload could not be finished", upload=upload_id, why=str(problem))
        return False
    return True


def _expire(site: Site, upload_id: str) -> bool:
    """An idle upload becomes a tombstone; a tombstone whose time is over goes."""
    upload = _locked(site, upload_id)
    if upload is None or upload.expires_at > site.now():
        site.session.rollback()
        return False
    if upload.state is UploadState.GONE:
        site.session.delete(upload)
        site.session.commit()
        return False
    key = upload.key
    bury(upload, site.now())
    site.session.commit()
    site.intake.discard(key)
    return True


def _forget(site: Site, upload_id: str) -> bool:
    upload = _locked(site, upload_id)
    if upload is not None:
        site.session.delete(upload)
    site.session.commit()
    return upload is not None


def _discard_orphans(site: Site) -> int:
    """Bytes that no living upload refers to: a crash came between a commit and the tidying after it."""
    with reading():
        alive = (UploadState.RECEIVING, UploadState.RECEIVED)
        wanted = set(site.session.scalars(select(Upload.stored_as).where(Upload.state.in_(alive))))
    site.session.rollback()
    orphans = [
        key
        for key in site.intake.leftovers(intake_prefix(site.tenant_id))
        if (stored_as := key.rpartition("/")[2]) not in wanted and _is_old(stored_as, site.now())
    ]
    for key in orphans:
        site.intake.discard(key)
    return len(orphans)


def _is_old(stored_as: str, now: datetime) -> bool:
    return is_id(stored_as) and ULID.from_str(stored_as.upper()).datetime < now - ORPHAN_AGE
