"""What guests add to an album: counted against their link's quota when it is announced, hidden until it is approved.

The row has the id that the asset will have. ARRIVING -> WAITING (the asset exists, held) -> APPROVED or REJECTED; an
upload that never ends well takes its row with it, and so gives its share of the quota back.
"""

import enum
from datetime import datetime

from sqlalchemy import BigInteger, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from tenants import news
from tenants.catalog import Album, Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.guests import Guest
from tenants.names import ID_LENGTH
from tenants.news import NewsKind
from tenants.sharing import Rights, ShareLink


class ContributionState(enum.Enum):
    ARRIVING = "arriving"
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


class Contribution(TenantOwned, Base):
    __tablename__ = "contributions"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("share_links", "link_id"),
        belongs_to("guests", "guest_id"),
        Index("ix_contributions_link", "tenant_id", "link_id", "state"),
        Index("ix_contributions_album", "tenant_id", "album_id", "state"),
        Index("ix_contributions_guest", "tenant_id", "guest_id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    """The asset's id, before there is an asset."""
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    link_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    guest_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    size: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[ContributionState] = mapped_column(ChoiceType(ContributionState, impl=String(8)))
    created_at: Mapped[datetime]


def open_link(session: Session, tenant_id: str, link_id: str, now: datetime) -> ShareLink:
    """The link of a guest's ticket, which must allow uploads at this very moment. Raises 410 if it does not."""
    link = session.get(ShareLink, (tenant_id, link_id), populate_existing=True)
    if link is None or not link.is_live(now) or Rights.UPLOAD not in link.rights:
        raise Problem("gone", "This link no longer takes uploads. Ask whoever sent it for a new one.")
    return link


def used(session: Session, link: ShareLink) -> tuple[int, int]:
    """Files and bytes that count against the link's quota: all but what was rejected."""
    row = session.execute(
        select(func.count(), func.coalesce(func.sum(Contribution.size), 0)).where(
            Contribution.link_id == link.id, Contribution.state != ContributionState.REJECTED
        )
    ).one()
    return int(row[0]), int(row[1])


def announce(session: Session, link: ShareLink, guest_id: str, asset_id: str, size: int, *, now: datetime) -> None:
    """Take the file's share of the quota within the current transaction. Raises `Problem` if there is not enough."""
    # On PostgreSQL two announcements take turns here, or both would see the last free place; on SQLite all writers do.
    session.execute(select(ShareLink.id).where(ShareLink.id == link.id).with_for_update())
    files, taken = used(session, link)
    if link.upload_files is not None and files >= link.upload_files:
        raise Problem(
            "too-large",
            "This link takes %(most)s files, and they have all been used.",
            values={"most": link.upload_files},
        )
    if link.upload_bytes is not None and taken + size > link.upload_bytes:
        left = max(link.upload_bytes - taken, 0) / 1_000_000
        raise Problem(
            "too-large",
            "This link has room for another %(left)s MB, and this file needs more.",
            values={"left": f"{left:,.1f}"},
        )
    session.add(
        Contribution(
            tenant_id=link.tenant_id,
            id=asset_id,
            album_id=link.album_id,
            link_id=link.id,
            guest_id=guest_id,
            size=size,
            state=ContributionState.ARRIVING,
            created_at=now,
        )
    )
    session.flush()


def arrived(session: Session, album: Album, asset: Asset, *, now: datetime) -> None:
    """Hold the asset back if a guest sent it, within the transaction that made it."""
    found = session.get(Contribution, (asset.tenant_id, asset.id))
    if found is None:
        return
    asset.held = True
    found.state = ContributionState.WAITING
    guest = session.get(Guest, (asset.tenant_id, found.guest_id))
    news.tell(session, album, NewsKind.UPLOAD, guest.name if guest else "", asset.filename, now=now)


def is_from(session: Session, tenant_id: str, asset_id: str, guest_id: str) -> bool:
    found = session.get(Contribution, (tenant_id, asset_id))
    return found is not None and found.guest_id == guest_id


def withdraw(session: Session, tenant_id: str, asset_id: str) -> None:
    """The upload came to nothing: its share of the quota is free again."""
    found = session.get(Contribution, (tenant_id, asset_id))
    if found is not None and found.state is ContributionState.ARRIVING:
        session.delete(found)


def waiting(session: Session, album: Album) -> list[tuple[Asset, Guest]]:
    """Assets that wait for approval with who sent them, the oldest first."""
    wanted = (
        select(Asset, Guest)
        .join(Contribution, (Contribution.tenant_id == Asset.tenant_id) & (Contribution.id == Asset.id))
        .join(Guest, (Guest.tenant_id == Contribution.tenant_id) & (Guest.id == Contribution.guest_id))
        .where(
            Contribution.album_id == album.id,
            Asset.held,  # Not by its state: what was rejected and is back from the trash waits again.
            Asset.deleted_at.is_(None),
        )
        .order_by(Asset.id)
    )
    return [(row[0], row[1]) for row in session.execute(wanted)]


def judge(session: Session, assets: list[Asset], *, approve: bool, now: datetime) -> None:
    """Show the held ones among the assets, or put them into the trash (where they stay held)."""
    for asset in assets:
        found = session.get(Contribution, (asset.tenant_id, asset.id))
        if found is None or not asset.held:
            continue
        if approve:
            asset.held = False
            found.state = ContributionState.APPROVED
        else:
            asset.deleted_at = now
            found.state = ContributionState.REJECTED
    session.flush()
