"""Who came by a share link and left something: favourites and comments.

A guest is a name that someone gave on one link. The signed session of their browser holds the guest's id, nothing else
proves who they are: a name is what they say, not who they are.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Index, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.catalog import Album, Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, is_id, new_id
from tenants.sharing import ShareLink

MAX_NAME = 80
MAX_COMMENT = 1000
MOST_COMMENTS = 500
"""Of one guest: beyond it somebody is not commenting but filling a table."""
MOST_GUESTS = 5000
"""Of one link, likewise."""


class Guest(TenantOwned, Base):
    __tablename__ = "guests"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("share_links", "link_id"),
        Index("ix_guests_album", "tenant_id", "album_id", "id"),
        Index("ix_guests_link", "tenant_id", "link_id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    link_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    """Empty where the link does not ask."""
    created_at: Mapped[datetime]


class Favourite(TenantOwned, Base):
    __tablename__ = "favourites"
    __table_args__ = (
        belongs_to("guests", "guest_id"),
        belongs_to("assets", "asset_id"),
        Index("ix_favourites_asset", "tenant_id", "asset_id"),
    )

    guest_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    created_at: Mapped[datetime]


class Comment(TenantOwned, Base):
    __tablename__ = "comments"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("assets", "asset_id"),
        belongs_to("guests", "guest_id"),
        Index("ix_comments_album", "tenant_id", "album_id", "id"),
        Index("ix_comments_asset", "tenant_id", "asset_id", "id"),
        Index("ix_comments_guest", "tenant_id", "guest_id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    guest_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    text: Mapped[str] = mapped_column(String(MAX_COMMENT))
    """Plain text: pages escape it, and keep its line breaks."""
    created_at: Mapped[datetime]
    hidden_at: Mapped[datetime | None]
    """Hidden by the tenant: visitors do not see it, its writer included."""


def clean_name(given: str) -> str:
    """One line without control characters and direction marks, at most `MAX_NAME` long; empty if nothing is left."""
    return " ".join("".join(c if c.isprintable() else " " for c in given).split())[:MAX_NAME].strip()


def clean_text(given: str) -> str:
    """Lines without control characters. Raises `Problem` for nothing, or for more than `MAX_COMMENT` characters."""
    lines = ["".join(c for c in line if c.isprintable()).rstrip() for line in given.splitlines()]
    text = "\n".join(lines).strip()
    if not text:
        raise Problem("invalid", "Write something first.", field="text")
    if len(text) > MAX_COMMENT:
        raise Problem(
            "invalid", "A comment may have up to %(most)s characters.", values={"most": MAX_COMMENT}, field="text"
        )
    return text


def create(session: Session, link: ShareLink, name: str, *, now: datetime) -> Guest:
    """Raises `Problem` if the link asks for a name and this is none, or if the link has too many guests already."""
    name = clean_name(name)
    if link.asks_name and not name:
        raise Problem("invalid", "Please tell your name first.", field="name")
    crowd = session.scalar(select(func.count()).select_from(Guest).where(Guest.link_id == link.id)) or 0
    if crowd >= MOST_GUESTS:
        raise Problem("conflict", "This link has had too many guests. Ask whoever sent it for a new one.")
    guest = Guest(
        tenant_id=link.tenant_id, id=new_id(), album_id=link.album_id, link_id=link.id, name=name, created_at=now
    )
    session.add(guest)
    session.flush()
    return guest


def of_link(session: Session, link: ShareLink, guest_id: str) -> Guest | None:
    """The guest, if it is one of this link."""
    guest = session.get(Guest, (link.tenant_id, guest_id)) if is_id(guest_id) else None
    return guest if guest is not None and guest.link_id == link.id else None


def set_favourite(session: Session, guest: Guest, asset: Asset, wanted: bool, *, now: datetime) -> None:
    """Marked or not, whatever it was before."""
    key = (guest.tenant_id, guest.id, asset.id)
    found = session.get(Favourite, key)
    if wanted and found is None:
        session.add(Favourite(tenant_id=guest.tenant_id, guest_id=guest.id, asset_id=asset.id, created_at=now))
    elif not wanted and found is not None:
        session.delete(found)
    session.flush()


def favourites(session: Session, guest: Guest) -> set[str]:
    """Asset ids."""
    return set(session.scalars(select(Favourite.asset_id).where(Favourite.guest_id == guest.id)))


def add_comment(session: Session, guest: Guest, asset: Asset, text: str, *, now: datetime) -> Comment:
    text = clean_text(text)
    written = session.scalar(select(func.count()).select_from(Comment).where(Comment.guest_id == guest.id)) or 0
    if written >= MOST_COMMENTS:
        raise Problem("conflict", "That were a great many comments. Delete some of yours first.")
    comment = Comment(
        tenant_id=guest.tenant_id,
        id=new_id(),
        album_id=asset.album_id,
        asset_id=asset.id,
        guest_id=guest.id,
        text=text,
        created_at=now,
    )
    session.add(comment)
    session.flush()
    return comment


def comments_on(session: Session, asset: Asset) -> list[tuple[Comment, Guest]]:
    """What visitors may read, oldest first."""
    return _with_guests(session, Comment.asset_id == asset.id, Comment.hidden_at.is_(None))


def comments_in(session: Session, album: Album) -> list[tuple[Comment, Guest]]:
    """All of an album, hidden ones included, for its tenant."""
    return _with_guests(session, Comment.album_id == album.id)[::-1]


def _with_guests(session: Session, *conditions: object) -> list[tuple[Comment, Guest]]:
    wanted = (
        select(Comment, Guest)
        .join(Guest, (Guest.tenant_id == Comment.tenant_id) & (Guest.id == Comment.guest_id))
        .where(*conditions)  # type: ignore[arg-type]
        .order_by(Comment.id)
    )
    return [(row[0], row[1]) for row in session.execute(wanted)]


def guests_of(session: Session, album: Album) -> list[tuple[Guest, int]]:
    """The album's guests that marked favourites, with how many, the latest guest first."""
    number = func.count(Favourite.asset_id)
    wanted = (
        select(Guest, number)
        .join(Favourite, (Favourite.tenant_id == Guest.tenant_id) & (Favourite.guest_id == Guest.id))
        .join(Asset, (Asset.tenant_id == Favourite.tenant_id) & (Asset.id == Favourite.asset_id))
        .where(Guest.album_id == album.id, Asset.deleted_at.is_(None))
        .group_by(*Guest.__table__.columns)
        .order_by(Guest.id.desc())
    )
    return [(row[0], row[1]) for row in session.execute(wanted)]


def everybody(session: Session, album: Album, limit: int = 500) -> list[Guest]:
    """The album's guests, the latest first."""
    return list(session.scalars(select(Guest).where(Guest.album_id == album.id).order_by(Guest.id.desc()).limit(limit)))


def forget(session: Session, comments: Iterable[Comment]) -> None:
    """Delete for good."""
    for comment in comments:
        session.execute(
            delete(Comment)
            .where(Comment.tenant_id == comment.tenant_id, Comment.id == comment.id)
            .execution_options(synchronize_session="fetch")
        )
