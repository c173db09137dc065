"""Everything that is kept about one guest: for who asks what is known of them, and for who asks to be forgotten
(Regulation (EU) 2016/679, articles 15, 17 and 20)."""

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tenants.catalog import Asset
from tenants.contributions import Contribution
from tenants.guests import Comment, Favourite, Guest
from tenants.news import News
from tenants.portable import plain
from tenants.proofing import Selection, SelectionItem


def about(session: Session, guest: Guest) -> dict[str, Any]:
    """As JSON has it: the name, and what was left under it. Files are named, not included."""
    own = {"tenant_id": guest.tenant_id, "guest_id": guest.id}
    favourites = select(Favourite).filter_by(**own).order_by(Favourite.asset_id)
    comments = select(Comment).filter_by(**own).order_by(Comment.id)
    selections = select(Selection).filter_by(**own).order_by(Selection.id)
    uploads = select(Contribution).filter_by(**own).order_by(Contribution.id)
    return {
        "id": guest.id,
        "name": guest.name,
        "album": guest.album_id,
        "created_at": plain(guest.created_at),
        "favourites": [_with_file(session, row, row.asset_id, "created_at") for row in session.scalars(favourites)],
        "comments": [
            _with_file(session, row, row.asset_id, "text", "created_at", "hidden_at")
            for row in session.scalars(comments)
        ],
        "selections": [
            {
                **{name: plain(getattr(row, name)) for name in ("name", "submitted_at", "created_at")},
                "files": [_file(session, guest.tenant_id, asset_id) for asset_id in _chosen(session, row)],
            }
            for row in session.scalars(selections)
        ],
        "uploads": [
            _with_file(session, row, row.id, "size", "state", "created_at") for row in session.scalars(uploads)
        ],
    }


def uploaded(session: Session, guest: Guest) -> list[str]:
    """Ids of the assets that the guest added, whatever became of them."""
    return list(
        session.scalars(
            select(Asset.id)
            .join(Contribution, (Contribution.tenant_id == Asset.tenant_id) & (Contribution.id == Asset.id))
            .where(Contribution.guest_id == guest.id)
            .order_by(Asset.id)
        )
    )


def erase(session: Session, guest: Guest) -> dict[str, int]:
    """Remove the guest with all that hangs on the row, and what the dashboard was told under the name; rows by kind.

    Within the current transaction. Files are the caller's to end.
    """
    own = {"tenant_id": guest.tenant_id, "guest_id": guest.id}
    counted: dict[str, int] = {}
    for table in (Favourite, Comment, Contribution):
        counted[table.__tablename__] = len(session.execute(select(table.tenant_id).filter_by(**own)).all())
    chosen = select(Selection.id).filter_by(**own)
    counted["selections"] = len(session.scalars(chosen).all())
    told = delete(News).where(
        News.tenant_id == guest.tenant_id, News.album_id == guest.album_id, News.who == guest.name, News.who != ""
    )
    counted["news"] = session.execute(told.execution_options(synchronize_session=False)).rowcount  # type: ignore[attr-defined]
    gone = delete(Guest).where(Guest.tenant_id == guest.tenant_id, Guest.id == guest.id)
    session.execute(gone.execution_options(synchronize_session=False))
    session.expunge(guest)
    counted["guests"] = 1
    return counted


def _chosen(session: Session, selection: Selection) -> list[str]:
    wanted = select(SelectionItem.asset_id).filter_by(tenant_id=selection.tenant_id, selection_id=selection.id)
    return list(session.scalars(wanted.order_by(SelectionItem.asset_id)))


def _with_file(session: Session, row: Any, asset_id: str, *names: str) -> dict[str, Any]:
    return {**_file(session, row.tenant_id, asset_id), **{name: plain(getattr(row, name)) for name in names}}


def _file(session: Session, tenant_id: str, asset_id: str) -> dict[str, Any]:
    asset = session.get(Asset, (tenant_id, asset_id))
    return {"asset": asset_id, "filename": asset.filename if asset is not None else ""}
