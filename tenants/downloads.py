"""Selections to download: which photos of an album someone put together, kept for as long as a download may take."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Index, String, Text, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.catalog import Album
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, is_id, new_id

KEPT = timedelta(days=7)
MOST = 10_000
"""Assets in one selection."""


class DownloadList(TenantOwned, Base):
    """Gives a selection an address, since a download that is to be resumed must be a GET. It gives no rights."""

    __tablename__ = "download_lists"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        Index("ix_download_lists_created", "tenant_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    asset_ids: Mapped[str] = mapped_column(Text)
    """Separated by spaces."""
    created_at: Mapped[datetime]


def make(session: Session, album: Album, asset_ids: Iterable[str], *, now: datetime) -> DownloadList:
    """Within the current transaction. Ids that are none of the album's do no harm: they choose nothing."""
    chosen = [asset_id for asset_id in dict.fromkeys(asset_ids) if is_id(asset_id)][:MOST]
    session.execute(
        delete(DownloadList)
        .where(DownloadList.tenant_id == album.tenant_id, DownloadList.created_at < now - KEPT)
        .execution_options(synchronize_session=False)
    )
    made = DownloadList(
        tenant_id=album.tenant_id, id=new_id(), album_id=album.id, asset_ids=" ".join(chosen), created_at=now
    )
    session.add(made)
    session.flush()
    return made


def chosen(session: Session, album: Album, list_id: str, *, now: datetime) -> frozenset[str] | None:
    """The ids of a selection from this album; None if there is none, or not any more."""
    found = session.get(DownloadList, (album.tenant_id, list_id)) if is_id(list_id) else None
    if found is None or found.album_id != album.id or found.created_at < now - KEPT:
        return None
    return frozenset(found.asset_ids.split())
