"""What an import has brought in already, so that it can be stopped and begun again without doubling anything.

A row says that a thing of a source (an album, a file at a path) has become an album or an asset. It goes with what it
became: what a tenant has deleted for good may be imported again.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Index, String, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.catalog import Album, Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH


class Imported(TenantOwned, Base):
    __tablename__ = "imported"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("assets", "asset_id"),
        Index("ix_imported_album", "tenant_id", "album_id"),
        Index("ix_imported_asset", "tenant_id", "asset_id"),
    )

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    """What an album became, or the album that a file went into."""
    asset_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Known:
    album_id: str
    asset_id: str | None
    trashed: bool
    """The tenant has thrown it away since."""


def key(*parts: str) -> str:
    """SHA-256 of what names a thing in its source."""
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


def find(session: Session, tenant_id: str, named: str) -> Known | None:
    row = session.execute(
        select(Imported.album_id, Imported.asset_id, Album.deleted_at, Asset.deleted_at)
        .join(Album, (Album.tenant_id == Imported.tenant_id) & (Album.id == Imported.album_id))
        .outerjoin(Asset, (Asset.tenant_id == Imported.tenant_id) & (Asset.id == Imported.asset_id))
        .where(Imported.tenant_id == tenant_id, Imported.key == named)
    ).first()
    return Known(row[0], row[1], row[2] is not None or row[3] is not None) if row else None


def note(session: Session, tenant_id: str, named: str, album_id: str, asset_id: str | None, *, now: datetime) -> None:
    """Within the transaction that makes it true."""
    row = Imported(tenant_id=tenant_id, key=named, album_id=album_id, asset_id=asset_id, created_at=now)
    session.merge(row)
    session.flush()


def unclaimed(session: Session, album_id: str, digest: str) -> str | None:
    """An asset of the album with those bytes that no import has spoken for: it came otherwise, or an import was stopped
    between its arrival and `note`."""
    spoken_for = exists().where(Imported.tenant_id == Asset.tenant_id, Imported.asset_id == Asset.id)
    free = select(Asset.id).where(
        Asset.album_id == album_id, Asset.sha256 == digest, Asset.deleted_at.is_(None), ~spoken_for
    )
    return session.scalar(free.order_by(Asset.id).limit(1))
