"""Files that were taken down: by SHA-256, for every tenant, and checked before an upload becomes an asset."""

from datetime import datetime

from sqlalchemy import String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import N_, Problem
from tenants import purges
from tenants.catalog import Asset, AssetState, Rendition
from tenants.db import Base, across_tenants
from tenants.names import ID_LENGTH, renditions_prefix
from tenants.scope import Site, open_site

REASON = N_("This file was taken down by the operator of this server.")


class BlockedHash(Base):
    """Not tenant-owned: what one tenant may not show, none may."""

    __tablename__ = "blocked_hashes"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(16))
    report_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """The report that led to it. No key: reports go with their tenant."""


def refuse_blocked(session: Session, sha256: str) -> None:
    """Raises `Problem` for a file that was taken down."""
    if session.get(BlockedHash, sha256) is not None:
        raise Problem("blocked", "This file was taken down before. It is not accepted again.")


def block(session: Session, sha256: str, *, who: str, reason: str, report_id: str | None, now: datetime) -> None:
    """Within the current transaction; a hash that is blocked already stays as it is."""
    if session.get(BlockedHash, sha256) is None:
        session.add(BlockedHash(sha256=sha256, created_at=now, who=who, reason=reason, report_id=report_id))
        session.flush()


def holders(session: Session, sha256: str) -> list[str]:
    """Ids of the tenants that have such a file."""
    with across_tenants(session, "whoever has a file that is taken down"):
        found = session.scalars(select(Asset.tenant_id).where(Asset.sha256 == sha256).distinct())
        return sorted(found)


def take_down(tenant_id: str, sha256: str) -> int:
    """Nobody sees the tenant's copies of the file any more; how many there were. Commits, then removes the renditions.

    The original stays until the tenant deletes the asset, for whoever has to look into it: nothing leads there, since
    every page asks for an asset that is shown. Whoever works on it loses the lease.
    """
    with open_site(tenant_id) as site:
        assets = list(site.session.scalars(select(Asset.id).where(Asset.sha256 == sha256)))
        for asset_id in assets:
            _hide(site, asset_id)
        if assets:
            purges.close_all(site)
        site.session.commit()
        for asset_id in assets:
            site.blobs.delete_prefix(renditions_prefix(tenant_id, asset_id))
    return len(assets)


def _hide(site: Site, asset_id: str) -> None:
    site.session.execute(
        update(Asset)
        .where(Asset.tenant_id == site.tenant_id, Asset.id == asset_id)
        .values(
            state=AssetState.REJECTED,
            reason=REASON,
            generation=0,
            fence=Asset.fence + 1,
            leased_until=None,
            rebuild_asked_at=None,
            stage="",
        )
        .execution_options(synchronize_session=False)
    )
    for row in site.session.scalars(select(Rendition).where(Rendition.asset_id == asset_id)):
        site.session.delete(row)
