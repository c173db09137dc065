"""Originals that the dashboard asked to have copied, into their places: for copies of assets, and for a file that takes
the place of another. The web fleet may write no original (ADR 0192), so it leaves a row in the outbox that names the
source, and the relay's fleet copies.

A row goes in two steps: the object is copied with no transaction open, then the row and what comes of it (the message
that has the asset processed) change in one. Doing it twice does no harm: an object is written if absent, and who finds
the row gone changes nothing.
"""

import contextlib
import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Flask
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from infra.errors import BlobExists, BlobMissing, Problem
from infra.sql import reading
from tenants import outbox, replacing
from tenants.catalog import album_by_id
from tenants.db import across_tenants, db
from tenants.names import original_key
from tenants.outbox import Outbox
from tenants.scope import Site, open_site

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.3
PATIENCE = timedelta(hours=1)
"""How long a replacement waits for its two files to be finished."""
_BATCH = 100


@dataclass(frozen=True)
class _Wanted:
    tenant_id: str
    id: str
    body: dict[str, Any]
    created_at: datetime


def place_once() -> int:
    """Place what is asked for; how many rows are settled. A copy of what is a copy itself waits for that one."""
    wanted = _wanted(db.session())
    # Other upload hosts do the same: in another order they seldom meet at the same file.
    random.shuffle(wanted)
    settled = 0
    for row in wanted:
        try:
            with open_site(row.tenant_id) as site:
                settled += _replace(site, row) if row.body["kind"] == "replace" else _copy(site, row)
        except LookupError:
            log.info("the tenant is gone, and its rows with it", tenant=row.tenant_id)
        except Exception:
            # This one comes again with the next turn, and keeps no other from its own.
            log.exception("an original is not in its place yet", tenant=row.tenant_id, asset=row.body.get("asset"))
    return settled


def _wanted(session: Session) -> list[_Wanted]:
    with reading(), across_tenants(session, "place originals"):
        rows = outbox.pending(session, _BATCH, placing=True)
        found = [_Wanted(row.tenant_id, row.id, row.body, row.created_at) for row in rows]
    session.rollback()
    return found


def _copy(site: Site, row: _Wanted) -> bool:
    asset, source, sha256 = row.body["asset"], row.body["from"], row.body["sha256"]
    try:
        with contextlib.suppress(BlobExists):
            site.blobs.copy(original_key(site.tenant_id, source, sha256), original_key(site.tenant_id, asset, sha256))
    except BlobMissing:
        if _is_on_its_way(site, source):
            return False
        # Its job fails for want of a file, and the album says so of this asset.
        log.warning("the original to copy is gone", source=source, asset=asset)
    if not _claim(site, row):
        return False
    site.enqueue({**outbox.media_job(site.tenant_id, asset), **_traced(row)})
    site.session.commit()
    return True


def _replace(site: Site, row: _Wanted) -> bool:
    """All or nothing. While one of the two is being worked on the row waits; after `PATIENCE` it is given up."""
    with reading():
        album = album_by_id(site.session, site.tenant_id, row.body["album"])
        site.session.rollback()
    try:
        if album is None:
            raise Problem("gone", "The album was removed in the meantime.")
        replacing.replace(site, row.body["album"], row.body["asset"], row.body["from"])
    except Problem as problem:
        site.session.rollback()
        if problem.code == "conflict" and site.now() - row.created_at < PATIENCE:
            return False
        log.warning("a file was not replaced", asset=row.body["asset"], why=problem.detail or problem.code)
    claimed = _claim(site, row)
    if claimed:
        site.session.commit()
    return claimed


def _claim(site: Site, row: _Wanted) -> bool:
    """Remove the row within the current transaction; False if another host did."""
    own = (Outbox.tenant_id == row.tenant_id, Outbox.id == row.id)
    return bool(site.session.scalar(delete(Outbox).where(*own).returning(Outbox.id)))


def _is_on_its_way(site: Site, asset_id: str) -> bool:
    with reading():
        asset = Outbox.body["asset"].as_string()
        found = site.session.scalar(select(Outbox.id).where(Outbox.tenant_id == site.tenant_id, asset == asset_id))
        site.session.rollback()
    return found is not None


def _traced(row: _Wanted) -> dict[str, str]:
    return {"trace": row.body["trace"]} if "trace" in row.body else {}


def run(app: Flask, stop: threading.Event) -> None:
    """Until `stop` is set, in a thread of its own: a long film that is copied keeps no message waiting."""
    with app.app_context():
        while not stop.is_set():
            try:
                busy = place_once() > 0
            except Exception:
                log.exception("placing will try again")
                db.session.rollback()
                busy = False
            if not busy:
                stop.wait(POLL_SECONDS)
