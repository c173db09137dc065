"""Where an asset is on its way from upload to page, and what it waits for: what `flask --app wsgi trace` tells.

Everything is looked up where the truth is: in the database, in the queue as far as it can be asked, in the blob store.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from flask import Flask, current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from infra.errors import BlobMissing
from infra.ports import Depth, SearchableQueue, Whereabouts
from infra.sql import reading
from tenants.catalog import Asset, Rendition
from tenants.db import across_tenants, db
from tenants.names import generation_prefix, original_key
from tenants.outbox import Outbox
from tenants.scope import Site, open_site, ports
from tenants.usage import UsageEvent

_DEAD_LETTERS = 1000


@dataclass(frozen=True)
class UploadFacts:
    """An upload's row, as `uploader/lookup.py` finds it. Sizes are bytes; `length` is None while it is deferred."""

    tenant_id: str
    id: str
    asset_id: str
    filename: str
    state: str
    offset: int
    length: int | None
    sending: bool
    """Whether a server has it in its hands right now."""
    created_at: datetime
    received_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True)
class AssetFacts:
    """An asset's row."""

    id: str
    filename: str
    size: int
    kind: str
    state: str
    reason: str
    stage: str
    progress: int
    fence: int
    generation: int
    leased_until: datetime | None
    created_at: datetime
    claimed_at: datetime | None
    viewable_at: datetime | None
    ready_at: datetime | None
    rebuild_asked_at: datetime | None
    deleted_at: datetime | None


@dataclass(frozen=True)
class QueueFacts:
    """`messages` is None where the queue cannot be asked for one; then `dead` says whether it is a dead letter."""

    messages: list[Whereabouts] | None
    dead: bool
    depth: Depth


@dataclass(frozen=True)
class Stored:
    """Objects: whether the original is there, and how many of the shown generation are and which are not."""

    original: bool
    renditions: int
    missing: list[str]
    generations: list[int]
    media_attributes: int


@dataclass(frozen=True)
class Moment:
    at: datetime
    what: str


@dataclass
class Trace:
    """Parts are None where there is nothing: no upload row (they go after a day), no asset yet."""

    now: datetime
    tenant_id: str
    upload: UploadFacts | None = None
    asset: AssetFacts | None = None
    outbox_since: datetime | None = None
    queue: QueueFacts | None = None
    stored: Stored | None = None
    usage: list[Moment] = field(default_factory=list)

    def moments(self) -> list[Moment]:
        """What is known to have happened, in order."""
        found: list[tuple[datetime | None, str]] = []
        if self.upload is not None:
            found += [
                (self.upload.created_at, f"upload {self.upload.id} created"),
                (self.upload.received_at, "last byte committed"),
                (self.upload.finished_at, "upload finished"),
            ]
        if self.asset is not None:
            found += [
                (self.asset.created_at, "asset and outbox row written"),
                (self.asset.claimed_at, f"last claimed by a worker (fence {self.asset.fence})"),
                (self.asset.viewable_at, "first shown on pages"),
                (self.asset.ready_at, f"ready (generation {self.asset.generation})"),
                (self.asset.rebuild_asked_at, "a rendition was found missing, rebuild asked for"),
                (self.asset.deleted_at, "deleted"),
            ]
        for message in (self.queue.messages or []) if self.queue else []:
            found.append((message.sent_at, f"message {message.id} sent to the queue"))
            if message.state == "dead":
                found.append((message.until, f"message {message.id} became a dead letter"))
        known = [Moment(at, what) for at, what in found if at is not None]
        return sorted([*known, *self.usage], key=lambda moment: moment.at)


Lookup = Callable[[Session, str], UploadFacts | None]
"""Finds an upload by its id or its asset's, in a session that works across tenants."""

_LOOKUP = "vitrine.trace.uploads"


def offer_uploads(app: Flask, lookup: Lookup) -> None:
    """The upload fleet's part, which this package cannot import."""
    app.extensions[_LOOKUP] = lookup


def trace(subject: str) -> Trace | None:
    """All that is known about an asset or an upload; None if nothing is."""
    session = db.session()
    with reading(), across_tenants(session, "the operator traces an asset by its id alone"):
        lookup: Lookup | None = current_app.extensions.get(_LOOKUP)
        upload = lookup(session, subject) if lookup is not None else None
        asset_id = upload.asset_id if upload is not None else subject
        tenant_id = session.scalar(select(Asset.tenant_id).where(Asset.id == asset_id))
        session.rollback()
    if upload is None and tenant_id is None:
        return None
    found = Trace(now=ports().clock.now(), tenant_id=tenant_id or (upload.tenant_id if upload else ""), upload=upload)
    if tenant_id is not None:
        with open_site(tenant_id) as site:
            _rows(site, asset_id, found)
            found.queue = _queue(tenant_id, asset_id)
            found.stored = _stored(site, asset_id)
    return found


def _rows(site: Site, asset_id: str, found: Trace) -> None:
    with reading():
        asset = site.session.get_one(Asset, (site.tenant_id, asset_id))
        about = {
            name: getattr(asset, name) for name in AssetFacts.__dataclass_fields__ if name not in ("kind", "state")
        }
        found.asset = AssetFacts(**about, kind=asset.kind.value, state=asset.state.value)
        rows = site.session.scalars(select(Outbox).order_by(Outbox.id))
        found.outbox_since = next((row.created_at for row in rows if row.body.get("asset") == asset_id), None)
        found.usage = [
            Moment(event.at, f"counted: {event.meter.value} {event.quantity:g}")
            for event in site.session.scalars(select(UsageEvent).where(UsageEvent.asset_id == asset_id))
        ]
        site.session.rollback()


def _queue(tenant_id: str, asset_id: str) -> QueueFacts:
    queue = ports().queue
    if isinstance(queue, SearchableQueue):
        messages = queue.find(tenant_id, "asset", asset_id)
        return QueueFacts(messages, any(one.state == "dead" for one in messages), queue.depth())
    dead = any(letter.body.get("asset") == asset_id for letter in queue.dead(_DEAD_LETTERS))
    return QueueFacts(None, dead, queue.depth())


def _stored(site: Site, asset_id: str) -> Stored:
    with reading():
        asset = site.session.get_one(Asset, (site.tenant_id, asset_id))
        generation, original = asset.generation, original_key(site.tenant_id, asset_id, asset.sha256)
        its = Rendition.asset_id == asset_id
        names = set(site.session.scalars(select(Rendition.name).where(its, Rendition.generation == generation)))
        counted = select(Rendition.generation, func.count()).where(its).group_by(Rendition.generation)
        generations = sorted(row[0] for row in site.session.execute(counted))
        site.session.rollback()
    there: set[str] = set()
    if generation:
        prefix = generation_prefix(site.tenant_id, asset_id, generation)
        there = {info.key.removeprefix(prefix) for info in site.blobs.list(prefix)}
    return Stored(
        original=_is_there(site, original),
        renditions=len(names & there),
        missing=sorted(names - there),
        generations=generations,
        media_attributes=len(site.media.get(asset_id)),
    )


def _is_there(site: Site, key: str) -> bool:
    try:
        site.blobs.stat(key)
    except BlobMissing:
        return False
    return True
