"""Selections: what a guest chose of an album, up to a number that the link sets, and handed in.

Open until it is handed in, locked from then on, open again if the tenant says so.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Index, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.catalog import Album, Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.guests import Favourite, Guest, clean_name
from tenants.names import ID_LENGTH, new_id
from tenants.ordering import sort_key

MOST_SELECTIONS = 20
"""Of one guest."""


class Selection(TenantOwned, Base):
    __tablename__ = "selections"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("guests", "guest_id"),
        Index("ix_selections_album", "tenant_id", "album_id", "id"),
        Index("ix_selections_guest", "tenant_id", "guest_id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    guest_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    name: Mapped[str] = mapped_column(String(120))
    at_most: Mapped[int | None]
    """How many it may have: the link's number when it was begun."""
    submitted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class SelectionItem(TenantOwned, Base):
    __tablename__ = "selection_items"
    __table_args__ = (
        belongs_to("selections", "selection_id"),
        belongs_to("assets", "asset_id"),
        Index("ix_selection_items_asset", "tenant_id", "asset_id"),
    )

    selection_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)


def begin(session: Session, guest: Guest, name: str, at_most: int | None, *, now: datetime) -> Selection:
    """Raises `Problem` if the guest has too many."""
    count = session.scalar(select(func.count()).select_from(Selection).where(Selection.guest_id == guest.id)) or 0
    if count >= MOST_SELECTIONS:
        raise Problem("conflict", "You have %(count)s selections already. Use one of them.", values={"count": count})
    selection = Selection(
        tenant_id=guest.tenant_id,
        id=new_id(),
        album_id=guest.album_id,
        guest_id=guest.id,
        name=clean_name(name) or "My selection",
        at_most=at_most,
        created_at=now,
    )
    session.add(selection)
    session.flush()
    return selection


def choose(session: Session, selection: Selection, asset_ids: Sequence[str]) -> None:
    """Make it exactly these photos of its album; ids of anything else are passed over.

    Raises `Problem` if it was handed in, or if these are more than it may have: then it stays as it was.
    """
    if selection.submitted_at is not None:
        raise Problem("conflict", "This selection is handed in. Ask to have it opened again if you want to change it.")
    wanted = set(asset_ids)
    known = set(
        session.scalars(
            select(Asset.id).where(
                Asset.album_id == selection.album_id, Asset.deleted_at.is_(None), Asset.held.is_(False)
            )
        )
        if wanted
        else ()
    )
    wanted &= known
    if selection.at_most is not None and len(wanted) > selection.at_most:
        raise Problem(
            "invalid",
            "You chose %(chosen)s, and may choose %(most)s. Leave some out.",
            values={"chosen": len(wanted), "most": selection.at_most},
            field="asset",
        )
    session.execute(
        delete(SelectionItem)
        .where(SelectionItem.tenant_id == selection.tenant_id, SelectionItem.selection_id == selection.id)
        .execution_options(synchronize_session=False)
    )
    session.add_all(
        SelectionItem(tenant_id=selection.tenant_id, selection_id=selection.id, asset_id=asset_id)
        for asset_id in sorted(wanted)
    )
    session.flush()


def submit(session: Session, selection: Selection, *, now: datetime) -> int:
    """Lock it; how many photos it has. Raises `Problem` for an empty one."""
    if selection.submitted_at is not None:
        raise Problem("conflict", "This selection is handed in already.")
    count = session.scalar(
        select(func.count()).select_from(SelectionItem).where(SelectionItem.selection_id == selection.id)
    )
    if not count:
        raise Problem("invalid", "Nothing is chosen yet. Tick some photos first.", field="asset")
    selection.submitted_at = now
    session.flush()
    return count


def of_guest(session: Session, guest: Guest) -> list[Selection]:
    """The oldest first."""
    return list(session.scalars(select(Selection).where(Selection.guest_id == guest.id).order_by(Selection.id)))


def chosen(session: Session, selection: Selection) -> set[str]:
    """Asset ids."""
    return set(session.scalars(select(SelectionItem.asset_id).where(SelectionItem.selection_id == selection.id)))


def of_album(session: Session, album: Album) -> list[tuple[Selection, Guest, int]]:
    """The newest first, with how many photos each has that still are there."""
    number = func.count(Asset.id)
    items = (SelectionItem.tenant_id == Selection.tenant_id) & (SelectionItem.selection_id == Selection.id)
    live = (
        (Asset.tenant_id == SelectionItem.tenant_id) & (Asset.id == SelectionItem.asset_id) & Asset.deleted_at.is_(None)
    )
    wanted = (
        select(Selection, Guest, number)
        .join(Guest, (Guest.tenant_id == Selection.tenant_id) & (Guest.id == Selection.guest_id))
        .outerjoin(SelectionItem, items)
        .outerjoin(Asset, live)
        .where(Selection.album_id == album.id)
        .group_by(*Selection.__table__.columns, *Guest.__table__.columns)
        .order_by(Selection.id.desc())
    )
    return [(row[0], row[1], row[2]) for row in session.execute(wanted)]


def assets_of(session: Session, album: Album, chosen_by: Selection | Guest) -> list[Asset]:
    """The living assets of a selection, or a guest's favourites, in the album's order."""
    if isinstance(chosen_by, Selection):
        ids = select(SelectionItem.asset_id).where(SelectionItem.selection_id == chosen_by.id)
    else:
        ids = select(Favourite.asset_id).where(Favourite.guest_id == chosen_by.id)
    wanted = select(Asset).where(Asset.album_id == album.id, Asset.deleted_at.is_(None), Asset.id.in_(ids))
    return list(session.scalars(wanted.order_by(sort_key(album.ordering), Asset.id)))
