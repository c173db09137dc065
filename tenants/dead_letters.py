"""Dead letters one at a time, as the operator looks at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_, update

from infra.sql import reading
from tenants.catalog import Asset, AssetState
from tenants.db import across_tenants, db
from tenants.names import is_id
from tenants.registry import Tenant
from tenants.scope import Site, open_site, ports


@dataclass(frozen=True)
class Letter:
    """A message that was received too often. What it is about is None where it is gone, or the message no media job."""

    id: str
    sent_at: datetime
    receives: int
    tenant: Tenant | None
    asset: Asset | None
    body: dict[str, Any]


def subject_of(body: dict[str, Any]) -> tuple[str, str] | None:
    """Tenant and asset of a media job."""
    tenant, asset = body.get("tenant"), body.get("asset")
    if isinstance(tenant, str) and isinstance(asset, str) and is_id(tenant) and is_id(asset):
        return tenant, asset
    return None


def look(limit: int) -> list[Letter]:
    """The oldest first. Raises `Unavailable` while the queue is away."""
    found = ports().queue.dead(limit)
    subjects = [subject for letter in found if (subject := subject_of(letter.body))]
    tenants, assets = _look_up(subjects)
    letters = []
    for letter in found:
        subject = subject_of(letter.body)
        tenant = tenants.get(subject[0]) if subject else None
        asset = assets.get(subject) if subject else None
        letters.append(Letter(letter.id, letter.sent_at, letter.receives, tenant, asset, letter.body))
    return letters


def _look_up(
    subjects: Sequence[tuple[str, str]],
) -> tuple[dict[str, Tenant], dict[tuple[str, str], Asset]]:
    session = db.session()
    with reading(), across_tenants(session, "what dead letters are about"):
        tenants = session.scalars(select(Tenant).where(Tenant.id.in_({tenant for tenant, _ in subjects})))
        by_id = {tenant.id: tenant for tenant in tenants}
        wanted = select(Asset).where(tuple_(Asset.tenant_id, Asset.id).in_(list(subjects)))
        by_subject = {(asset.tenant_id, asset.id): asset for asset in session.scalars(wanted)} if subjects else {}
    session.rollback()  # What the caller does next may write, and this transaction only reads.
    return by_id, by_subject


def redrive(message_id: str, body: dict[str, Any]) -> bool:
    """Try it again; False if there is no such dead letter any more. Commits."""
    subject = subject_of(body)
    if subject is not None:
        try:
            with open_site(subject[0]) as site:
                reopen(site, subject[1])
        except LookupError:
            pass  # The tenant is gone: the bridge finds nothing to do and deletes the message.
    return ports().queue.redrive(message_id)


def reopen(site: Site, asset_id: str) -> bool:
    """Take a FAILED asset back to RECEIVED, so that its redriven message finds work; False if it is not FAILED."""
    changed = site.session.execute(
        update(Asset)
        .where(Asset.tenant_id == site.tenant_id, Asset.id == asset_id, Asset.state == AssetState.FAILED)
        .values(state=AssetState.RECEIVED, reason="", leased_until=None, stage="", progress=0)
        .execution_options(synchronize_session=False)
    )
    site.session.commit()
    return bool(changed.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
