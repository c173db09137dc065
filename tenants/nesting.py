"""Albums within albums. An album without photos of its own whose sub-albums show is a collection; it needs no mark.

Where an album is says nothing about who may see it: `may` asks the album itself, so a link to a collection opens the
collection, and a private album in it stays closed (ADR 0137).
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Index, String, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from infra.errors import Problem
from tenants.catalog import Album, Visibility
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH
from tenants.registry import Tenant

MOST_LEVELS = 5


class AlbumParent(TenantOwned, Base):
    """In which album an album is. A table of its own: a purged parent takes the row along and leaves the album."""

    __tablename__ = "album_parents"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("albums", "parent_id"),
        Index("ix_album_parents_parent", "tenant_id", "parent_id"),
    )

    album_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    parent_id: Mapped[str] = mapped_column(String(ID_LENGTH))


def put(session: Session, album: Album, parent: Album | None) -> None:
    """Move the album, with what is below it, into `parent`, or to the top.

    Raises `Problem("invalid")` if that would close a circle or go deeper than `MOST_LEVELS`.
    """
    # Two moves at once could close a circle that neither sees: movers of a tenant take turns.
    session.execute(select(Tenant.id).where(Tenant.id == album.tenant_id).with_for_update(key_share=True))
    if parent is not None:
        _check(session, album, parent)
    row = session.get(AlbumParent, (album.tenant_id, album.id))
    if parent is None:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(AlbumParent(tenant_id=album.tenant_id, album_id=album.id, parent_id=parent.id))
    else:
        row.parent_id = parent.id
    session.flush()


def _check(session: Session, album: Album, parent: Album) -> None:
    above = [parent.id, *_ids_above(session, parent.id)]
    if album.id in above:
        raise Problem("invalid", "An album cannot be inside itself.", field="parent")
    if len(above) + 1 + _levels_below(session, album.id) > MOST_LEVELS:
        raise Problem(
            "invalid", "Albums can be %(most)s levels deep at most.", values={"most": MOST_LEVELS}, field="parent"
        )


def _ids_above(session: Session, album_id: str) -> list[str]:
    """Nearest first. Bounded, should the table ever hold a circle all the same."""
    found: list[str] = []
    here: str | None = album_id
    while here is not None and len(found) < MOST_LEVELS:
        here = session.scalar(select(AlbumParent.parent_id).where(AlbumParent.album_id == here))
        if here is not None:
            found.append(here)
    return found


def _levels_below(session: Session, album_id: str) -> int:
    level, here = 0, [album_id]
    while level <= MOST_LEVELS:
        here = list(session.scalars(select(AlbumParent.album_id).where(AlbumParent.parent_id.in_(here))))
        if not here:
            break
        level += 1
    return level


def parent_of(session: Session, album: Album) -> str | None:
    return session.scalar(select(AlbumParent.parent_id).where(AlbumParent.album_id == album.id))


def ancestors(session: Session, album: Album) -> list[Album]:
    """The live albums around this one, the outermost first; none beyond one that is deleted."""
    ids = _ids_above(session, album.id)
    if not ids:
        return []
    live = {found.id: found for found in session.scalars(select(Album).where(Album.id.in_(ids)))}
    chain: list[Album] = []
    for album_id in ids:
        found = live.get(album_id)
        if found is None or found.deleted_at is not None:
            break
        chain.insert(0, found)
    return chain


def children(session: Session, parent_ids: Iterable[str], most: int) -> list[tuple[str, Album]]:
    """Live albums right below each of the given ones, with the parent's id; by title, up to `most` together."""
    rows = session.execute(
        select(AlbumParent.parent_id, Album)
        .join(Album, (Album.tenant_id == AlbumParent.tenant_id) & (Album.id == AlbumParent.album_id))
        .where(AlbumParent.parent_id.in_(list(parent_ids)), Album.deleted_at.is_(None))
        .order_by(Album.title, Album.id)
        .limit(most)
    )
    return [(row[0], row[1]) for row in rows]


def on_top() -> ColumnElement[bool]:
    """Albums of the home page: not within a public album, through which visitors get at them."""
    parent = aliased(Album)
    within = (
        select(AlbumParent.album_id)
        .join(parent, (parent.tenant_id == AlbumParent.tenant_id) & (parent.id == AlbumParent.parent_id))
        .where(
            AlbumParent.tenant_id == Album.tenant_id,
            AlbumParent.album_id == Album.id,
            parent.visibility == Visibility.PUBLIC,
            parent.deleted_at.is_(None),
        )
    )
    return ~within.exists()
