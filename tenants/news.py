"""What happened at the tenant's albums while nobody of the tenant was looking: rows that the dashboard shows."""

import enum
from datetime import datetime

from sqlalchemy import Index, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from tenants.catalog import Album
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, new_id


class NewsKind(enum.Enum):
    COMMENT = "comment"
    SELECTION = "selection"
    """Handed in."""
    UPLOAD = "upload"


class News(TenantOwned, Base):
    __tablename__ = "news"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        Index("ix_news_album", "tenant_id", "album_id"),
        Index("ix_news_unseen", "tenant_id", "seen_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    kind: Mapped[NewsKind] = mapped_column(ChoiceType(NewsKind, impl=String(12)))
    who: Mapped[str] = mapped_column(String(80))
    """The guest's name."""
    about: Mapped[str] = mapped_column(String(200))
    """What they wrote, what their selection is called: plain text."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]


def tell(session: Session, album: Album, kind: NewsKind, who: str, about: str, *, now: datetime) -> None:
    """Within the current transaction. Further uploads of one guest add nothing while the first is unseen."""
    if kind is NewsKind.UPLOAD:
        told = select(News.id).where(
            News.album_id == album.id, News.kind == kind, News.who == who, News.seen_at.is_(None)
        )
        if session.scalar(told.limit(1)) is not None:
            return
    session.add(
        News(
            tenant_id=album.tenant_id,
            id=new_id(),
            album_id=album.id,
            kind=kind,
            who=who[:80],
            about=about[:200],
            created_at=now,
        )
    )


def unseen(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(News).where(News.seen_at.is_(None))) or 0


def latest(session: Session, limit: int) -> list[tuple[News, Album]]:
    """The newest first, of albums that are not in the trash."""
    wanted = (
        select(News, Album)
        .join(Album, (Album.tenant_id == News.tenant_id) & (Album.id == News.album_id))
        .where(Album.deleted_at.is_(None))
        .order_by(News.id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in session.execute(wanted)]


def mark_seen(session: Session, tenant_id: str, *, now: datetime) -> None:
    session.execute(
        update(News)
        .where(News.tenant_id == tenant_id, News.seen_at.is_(None))
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )
