"""Files that went from one album to another: which, from where, when.

The addresses of their pictures name the album that they were seen in (`tenants/delivery.py`): a row here closes those,
as long as the asset is not back. It is also what undoing a move goes by: all that left an album at one moment.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Index, String, and_, delete, func, insert, literal, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.sql import among
from tenants.catalog import POSITION_STEP, Album, Asset
from tenants.db import Base, TenantOwned, belongs_to
from tenants.guests import Comment
from tenants.names import ID_LENGTH
from tenants.ordering import sort_key
from tenants.search import AssetWord


class AssetMove(TenantOwned, Base):
    """`album_id` is the album that the asset left last, unless it came back."""

    __tablename__ = "asset_moves"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        belongs_to("assets", "asset_id"),
        Index("ix_asset_moves_asset", "tenant_id", "asset_id"),
    )

    album_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    moved_at: Mapped[datetime]


def move(session: Session, source: Album, which: ColumnElement[bool], target: Album, *, now: datetime) -> int:
    """Put those assets of `source` at the end of `target`, in the order that they had; how many.

    A handful of statements, however many assets. What search knows of their album, their comments and the way by which
    visitors saw them move along.
    """
    session.flush()
    # Arrivals in the target take turns here as in `catalog.add_asset`; the source's order is read, not changed.
    session.execute(select(Album.id).where(Album.id == target.id).with_for_update(key_share=True))
    ids = (
        select(Asset.id)
        .where(Asset.tenant_id == source.tenant_id, Asset.album_id == source.id, which)
        .order_by(sort_key(source.ordering), Asset.id)
    )
    moved = session.scalars(ids).all()
    if moved:
        _note(session, source, moved, target, now)
        _place(session, source, moved, target)
        home = and_(AssetWord.tenant_id == target.tenant_id, AssetWord.word == "", among(AssetWord.asset_id, moved))
        said = and_(Comment.tenant_id == target.tenant_id, among(Comment.asset_id, moved))
        for table, theirs in ((AssetWord, home), (Comment, said)):
            session.execute(
                update(table).where(theirs).values(album_id=target.id).execution_options(synchronize_session=False)
            )
        session.expire_all()
    return len(moved)


def left_at(session: Session, album: Album, moment: datetime) -> ColumnElement[bool]:
    """Assets that left the album at that moment, for `move` to bring back."""
    gone = select(AssetMove.asset_id).where(
        AssetMove.tenant_id == album.tenant_id, AssetMove.album_id == album.id, AssetMove.moved_at == moment
    )
    return among(Asset.id, session.scalars(gone).all())


def _note(session: Session, source: Album, moved: Sequence[str], target: Album, now: datetime) -> None:
    for album in (source, target):
        session.execute(
            delete(AssetMove)
            .where(
                AssetMove.tenant_id == album.tenant_id, AssetMove.album_id == album.id, among(AssetMove.asset_id, moved)
            )
            .execution_options(synchronize_session=False)
        )
    rows = select(Asset.tenant_id, literal(source.id), Asset.id, literal(now, AssetMove.moved_at.type))
    rows = rows.where(Asset.tenant_id == source.tenant_id, among(Asset.id, moved))
    session.execute(insert(AssetMove).from_select(["tenant_id", "album_id", "asset_id", "moved_at"], rows))


def _place(session: Session, source: Album, moved: Sequence[str], target: Album) -> None:
    last = session.scalar(select(func.max(Asset.position)).where(Asset.album_id == target.id)) or 0
    ranked = (
        select(Asset.id, func.row_number().over(order_by=(sort_key(source.ordering), Asset.id)).label("rank"))
        .where(Asset.tenant_id == source.tenant_id, Asset.album_id == source.id, among(Asset.id, moved))
        .subquery()
    )
    session.execute(
        update(Asset)
        .where(and_(Asset.tenant_id == source.tenant_id, Asset.id == ranked.c.id))
        .values(album_id=target.id, position=literal(last) + ranked.c.rank * POSITION_STEP)
        .execution_options(synchronize_session=False)
    )
