"""The order of an album's assets: the key of each ordering, covers, and moves by hand.

Positions have gaps (`catalog.POSITION_STEP`), so a move writes only the moved assets; when a gap is used up the album
is numbered afresh in one statement.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from infra.errors import Problem
from tenants.catalog import POSITION_STEP, SHOWN, Album, Asset, Ordering

_KEYS: dict[Ordering, InstrumentedAttribute[Any]] = {
    Ordering.MANUAL: Asset.position,
    Ordering.CAPTURED: Asset.taken_at,
    Ordering.NAME: Asset.sort_name,
}


def sort_key(ordering: Ordering) -> InstrumentedAttribute[Any]:
    """The column that an ordering sorts by, ascending; the asset's id breaks ties. Each has its index."""
    return _KEYS[ordering]


def covers(session: Session, albums: Iterable[Album]) -> dict[str, Asset]:
    """The cover of each album that has one, by album id: the chosen asset, else the first shown one.

    At most one query for each ordering in use and one for the assets, whatever the number of albums.
    """
    albums = list(albums)
    wanted = {album.id: album.cover_id for album in albums if album.cover_id}
    chosen = _shown(session, wanted.values())
    found = {album: chosen[cover] for album, cover in wanted.items() if cover in chosen}
    found = {album: asset for album, asset in found.items() if asset.album_id == album}
    first: dict[str, str | None] = {}
    for ordering in Ordering:
        bare = [album.id for album in albums if album.id not in found and album.ordering is ordering]
        if bare:
            first.update((row[0], row[1]) for row in session.execute(_first_of_each(bare, ordering)))
    leading = _shown(session, first.values())
    return found | {album: leading[asset] for album, asset in first.items() if asset in leading}


def _first_of_each(album_ids: Sequence[str], ordering: Ordering) -> Select[str, str | None]:
    leading = (
        select(Asset.id)
        .where(
            Asset.tenant_id == Album.tenant_id,
            Asset.album_id == Album.id,
            Asset.state.in_(SHOWN),
            Asset.deleted_at.is_(None),
            Asset.held.is_(False),
        )
        .order_by(sort_key(ordering), Asset.id)
        .limit(1)
        .correlate(Album)
        .scalar_subquery()
    )
    return select(Album.id, leading).where(Album.id.in_(album_ids))


def _shown(session: Session, ids: Iterable[str | None]) -> dict[str, Asset]:
    live = select(Asset).where(
        Asset.id.in_({asset_id for asset_id in ids if asset_id}),
        Asset.state.in_(SHOWN),
        Asset.deleted_at.is_(None),
        Asset.held.is_(False),
    )
    return {asset.id: asset for asset in session.scalars(live)}


def arrange_by_hand(session: Session, album: Album) -> None:
    """Make the album's ordering MANUAL, starting from the order that it has now."""
    if album.ordering is not Ordering.MANUAL:
        _renumber(session, album, album.ordering)
        album.ordering = Ordering.MANUAL


def move_assets(session: Session, album: Album, asset_ids: Sequence[str], *, after: str | None) -> None:
    """Put the assets, in the order given, right behind `after`, or at the start when that is None.

    Raises `Problem`: "not-found" if one of them is not in the album, "conflict" if the album is not arranged by hand,
    "invalid" if `after` is among the moved or an asset is named twice.
    """
    if album.ordering is not Ordering.MANUAL:
        raise Problem("conflict", "This album sorts itself. Switch it to manual order first.")
    if not asset_ids or len(set(asset_ids)) != len(asset_ids) or after in asset_ids:
        raise Problem("invalid", "Name each asset to move once, and a place outside of them.")
    # Two people who move at once take turns on PostgreSQL; SQLite has one writer anyway.
    session.execute(select(Album.id).where(Album.id == album.id).with_for_update())
    moved = {asset.id: asset for asset in session.scalars(_of(album).where(Asset.id.in_(asset_ids)))}
    if len(moved) != len(asset_ids):
        raise Problem("not-found", "One of these is no longer in the album. Reload the page.")
    start, step = _gap(session, album, asset_ids, after)
    if step < 1:
        _renumber(session, album, Ordering.MANUAL, spread=len(asset_ids) + 1)
        start, step = _gap(session, album, asset_ids, after)
    for rank, asset_id in enumerate(asset_ids, start=1):
        moved[asset_id].position = start + step * rank
    session.flush()


def last_of(session: Session, album: Album, *, besides: Sequence[str]) -> str | None:
    """The last asset by hand, `besides` left out; None if there is no other."""
    others = _of(album).where(Asset.id.not_in(besides)).with_only_columns(Asset.id)
    return session.scalar(others.order_by(Asset.position.desc(), Asset.id.desc()).limit(1))


def before(session: Session, album: Album, asset_id: str, *, besides: Sequence[str]) -> str | None:
    """The asset right before that one by hand, `besides` left out; None if it is the first, or is not there."""
    here = select(Asset.position).where(Asset.id == asset_id, Asset.album_id == album.id).scalar_subquery()
    earlier = (Asset.position < here) | ((Asset.position == here) & (Asset.id < asset_id))
    others = _of(album).where(Asset.id.not_in(besides), earlier).with_only_columns(Asset.id)
    return session.scalar(others.order_by(Asset.position.desc(), Asset.id.desc()).limit(1))


def _of(album: Album) -> Select[Asset]:
    return select(Asset).where(Asset.tenant_id == album.tenant_id, Asset.album_id == album.id)


def _gap(session: Session, album: Album, moved: Sequence[str], after: str | None) -> tuple[int, int]:
    """Where the moved ones may go: a start that is taken, and the distance from one to the next (0: no room)."""
    others = _of(album).where(Asset.id.not_in(moved)).with_only_columns(Asset.position)
    if after is None:
        following = session.scalar(others.order_by(Asset.position).limit(1))
        if following is None:
            return 0, POSITION_STEP
        return following - POSITION_STEP * (len(moved) + 1), POSITION_STEP
    start = session.scalar(others.where(Asset.id == after))
    if start is None:
        raise Problem("not-found", "The place to move to is no longer in the album. Reload the page.")
    # Ties in position are ordered by id; anything at the same position leaves no room between.
    following = session.scalar(
        others.where(Asset.position >= start, Asset.id != after, (Asset.position > start) | (Asset.id > after))
        .order_by(Asset.position)
        .limit(1)
    )
    if following is None:
        return start, POSITION_STEP
    return start, (following - start) // (len(moved) + 1)


def _renumber(session: Session, album: Album, ordering: Ordering, *, spread: int = 1) -> None:
    """Number every asset of the album by `ordering`, deleted ones included: restored, they come back in place."""
    ranked = (
        _of(album)
        .with_only_columns(Asset.id, func.row_number().over(order_by=(sort_key(ordering), Asset.id)).label("rank"))
        .subquery()
    )
    session.flush()
    session.execute(
        update(Asset)
        .where(Asset.tenant_id == album.tenant_id, Asset.album_id == album.id, Asset.id == ranked.c.id)
        .values(position=ranked.c.rank * max(POSITION_STEP, spread))
        .execution_options(synchronize_session=False)
    )
    for loaded in list(session.identity_map.values()):
        if isinstance(loaded, Asset):
            session.expire(loaded, ["position"])
