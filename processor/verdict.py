"""What to do with a message: one rule, from what the database says of its asset and what RQ says of its job."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, tuple_

from infra.sql import reading
from tenants.catalog import TERMINAL, Asset, AssetState
from tenants.db import across_tenants, db
from tenants.exports import OVER, Export, ExportState
from tenants.names import is_id

AT_WORK = {"created", "queued", "started", "deferred", "scheduled"}


class Verdict(enum.Enum):
    DELETE = "delete"
    WAIT = "wait"
    ENQUEUE = "enqueue"
    GIVE_BACK = "give back"


@dataclass(frozen=True)
class AssetView:
    """What the database says about an asset that exists and is not deleted, or about an export."""

    ended: bool
    failed: bool
    leased: bool


@dataclass(frozen=True)
class JobView:
    """What Redis says about a message's job. `status` is RQ's word, None for a job that it does not know."""

    status: str | None
    queued: bool

    @property
    def at_work(self) -> bool:
        return self.status in AT_WORK


def verdict(asset: AssetView | None, job: JobView | None, lost: bool) -> Verdict:
    """What to do with a message whose job is `job`, or that has none yet.

    `lost`: its job says that it is at work, but has neither been queued nor held the lease for as long as a lease
    lasts. A job claims the lease first of all, so its worker died, whatever Redis still says.
    """
    if asset is None or asset.ended:
        return Verdict.DELETE
    if asset.leased:
        return Verdict.WAIT
    if job is None:
        return Verdict.ENQUEUE
    return Verdict.WAIT if job.queued or (job.at_work and not lost) else Verdict.GIVE_BACK


SUBJECTS = {"media": "asset", "export": "export"}
"""The kinds of messages, and what each names its subject by."""


def subject_of(body: Any) -> tuple[str, str] | None:
    """The tenant and the asset, or export, that a message is about; None for one that is not ours. Unknown fields are
    tolerated. Ids are never the same, so who has one need not know of what kind it is."""
    if not isinstance(body, dict) or body.get("kind") not in SUBJECTS:
        return None
    tenant, subject = body.get("tenant"), body.get(SUBJECTS[body["kind"]])
    if not (isinstance(tenant, str) and is_id(tenant) and isinstance(subject, str) and is_id(subject)):
        return None
    return tenant, subject


def is_media_job(body: Any) -> bool:
    return subject_of(body) is not None and body["kind"] == "media"


_EXPORTS = select(Export.tenant_id, Export.id, Export.state, Export.leased_until).where(
    tuple_(Export.tenant_id, Export.id).in_(bindparam("subjects", expanding=True))
)
_FOLLOWED = select(Asset.tenant_id, Asset.id, Asset.state, Asset.leased_until).where(
    tuple_(Asset.tenant_id, Asset.id).in_(bindparam("subjects", expanding=True)), Asset.deleted_at.is_(None)
)


def look_up(subjects: Sequence[tuple[str, str]], now: datetime) -> dict[tuple[str, str], AssetView]:
    """Assets that exist and are not deleted, and exports, by tenant and id."""
    if not subjects:
        return {}
    session = db.session()
    with reading(), across_tenants(session, "the bridge follows the assets of the messages that it holds"):
        rows: list[Any] = list(session.execute(_FOLLOWED, {"subjects": list(subjects)}))
        found = {(row.tenant_id, row.id) for row in rows}
        others = [subject for subject in subjects if subject not in found]
        rows += session.execute(_EXPORTS, {"subjects": others}) if others else ()
        session.rollback()
    return {
        (row.tenant_id, row.id): AssetView(
            ended=row.state in TERMINAL or row.state in OVER,
            failed=row.state in (AssetState.FAILED, ExportState.FAILED),
            leased=row.leased_until is not None and row.leased_until > now,
        )
        for row in rows
    }
