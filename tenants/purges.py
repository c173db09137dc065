"""Copies that the edge has to drop: written down with the change that asks for it, sent after its commit.

A request sends its own at once. The loop of `domains check` sends each once more, later: what a crash or an outage
left, and what the edge fetched again in the seconds for which a process of the web fleet still remembers a way as open.
Without a cache at the edge nothing is written.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import JSON, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from infra.errors import Unavailable
from infra.sql import reading
from tenants import delivery
from tenants.db import Base, TenantOwned, across_tenants, db
from tenants.domains import Domain
from tenants.embeds import EmbedGrant, by_grant
from tenants.names import ID_LENGTH, new_id
from tenants.scope import Site, ports, settings
from tenants.sharing import ShareLink

log = structlog.get_logger(__name__)

AT_ONCE = 50
LATE = timedelta(seconds=10)
"""Longer than any process remembers a way (`webapp/delivery.py`) or a host (`webapp/host.py`)."""


class EdgePurge(TenantOwned, Base):
    """`hosts` and `paths` as `Edge.invalidate` takes them; its reference is made of `id`."""

    __tablename__ = "edge_purges"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    hosts: Mapped[list[str]] = mapped_column(JSON)
    paths: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]


def add(site: Site, hosts: Sequence[str], paths: Sequence[str]) -> None:
    """Within the current transaction."""
    if site.edge.shared_seconds and hosts and paths:
        site.session.add(
            EdgePurge(
                tenant_id=site.tenant_id, id=new_id(), hosts=list(hosts), paths=list(paths), created_at=site.now()
            )
        )


def close(site: Site, *ways: str) -> None:
    """Nobody gets pictures by these ways from the edge any more, within the current transaction."""
    if site.edge.shared_seconds:
        add(site, hosts_of(site), [f"/m/{way}/" for way in ways])


def close_all(site: Site) -> None:
    """As `close`, for every way there is: for what all of them lead to has changed."""
    if site.edge.shared_seconds:
        add(site, hosts_of(site), ["/m/"])


def close_album(site: Site, album_id: str) -> None:
    """As `close`, for every way into the album but membership: for an album, or something in it, that is gone.

    Who may see it still makes the edge ask again.
    """
    if site.edge.shared_seconds:
        links = site.session.scalars(select(ShareLink.id).where(ShareLink.album_id == album_id))
        grants = site.session.scalars(select(EmbedGrant.id).where(EmbedGrant.album_id == album_id))
        close(site, delivery.by_openness(album_id), *map(delivery.by_link, links), *map(by_grant, grants))


def hosts_of(site: Site) -> list[str]:
    """Every host that the tenant is served on."""
    own = site.session.scalars(select(Domain.host).where(Domain.tenant_id == site.tenant_id))
    return [f"{site.tenant.slug}.{settings().base_domain}", *own]


def send_all() -> int:
    """Send what waits, the oldest first; how many. An edge that is away keeps the rest waiting.

    Within `LATE` the same request is sent as often as this is called, which to the edge is once.
    """
    edge, session, sent = ports().edge, db.session(), 0
    settled = ports().clock.now() - LATE
    if not edge.shared_seconds:
        return 0
    with reading(), across_tenants(session, "copies of every tenant are dropped by whoever comes first"):
        rows = session.execute(
            select(EdgePurge.tenant_id, EdgePurge.id, EdgePurge.hosts, EdgePurge.paths, EdgePurge.created_at)
            .order_by(EdgePurge.id)
            .limit(AT_ONCE)
        ).all()
        session.rollback()
    for tenant_id, purge_id, hosts, paths, created_at in rows:
        last = created_at <= settled
        try:
            edge.invalidate(hosts, paths, reference=f"{purge_id}-{'late' if last else 'now'}")
        except Unavailable as error:
            log.warning("the edge takes no invalidation now", error=str(error), waiting=len(rows) - sent)
            break
        sent += 1
        if last:
            with reading(False), across_tenants(session, "a purge that was sent"):
                session.execute(delete(EdgePurge).where(EdgePurge.tenant_id == tenant_id, EdgePurge.id == purge_id))
                session.commit()
    return sent
