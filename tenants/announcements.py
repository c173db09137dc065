"""What the operator tells the members of every tenant, on top of their dashboards, for a while."""

import enum
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import String, Text, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from tenants.db import Base
from tenants.names import ID_LENGTH, new_id

LONGEST = 500


class Level(enum.Enum):
    INFO = "info"
    WARNING = "warning"


class Announcement(Base):
    """Not tenant-owned: it is for all. Plain text, in the operator's words."""

    __tablename__ = "announcements"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    level: Mapped[Level] = mapped_column(ChoiceType(Level, impl=String(8)))
    text: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    """None: until somebody ends it."""
    who: Mapped[str] = mapped_column(String(80))


def publish(
    session: Session, text: str, level: Level, who: str, *, starts_at: datetime, ends_at: datetime | None
) -> Announcement:
    """Raises `Problem` for none, for too long a text, and for one that ends before it starts."""
    if not text.strip() or len(text) > LONGEST:
        raise Problem("invalid", "Write 1 to %(most)s characters.", values={"most": LONGEST}, field="text")
    if ends_at is not None and ends_at <= starts_at:
        raise Problem("invalid", "It would end before it starts.", field="ends_at")
    made = Announcement(id=new_id(), level=level, text=text.strip(), starts_at=starts_at, ends_at=ends_at, who=who[:80])
    session.add(made)
    session.flush()
    return made


def current(session: Session, now: datetime) -> Sequence[Announcement]:
    """Those that members see now, the newest first."""
    return session.scalars(
        select(Announcement)
        .where(Announcement.starts_at <= now, or_(Announcement.ends_at.is_(None), Announcement.ends_at > now))
        .order_by(Announcement.id.desc())
    ).all()


def latest(session: Session, limit: int) -> Sequence[Announcement]:
    return session.scalars(select(Announcement).order_by(Announcement.id.desc()).limit(limit)).all()


def end(found: Announcement, now: datetime) -> None:
    """Nobody sees it any more."""
    found.ends_at = now
    found.starts_at = min(found.starts_at, now)
