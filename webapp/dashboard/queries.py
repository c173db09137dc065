"""What the dashboard lists: album cards and an album's assets, each page in a constant number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session, selectinload

from tenants import ordering
from tenants.catalog import TERMINAL, Album, Asset, AssetState, Kind

ALBUMS_A_PAGE = 60
ASSETS_A_PAGE = 200

_REFUSED = (AssetState.REJECTED, AssetState.FAILED)


@dataclass(frozen=True)
class Counts:
    """Live assets of one album. `working` are on their way, `refused` were rejected or failed."""

    photos: int = 0
    videos: int = 0
    working: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        return self.photos + self.videos + self.working + self.refused


@dataclass(frozen=True)
class AlbumCard:
    album: Album
    counts: Counts
    cover: Asset | None


def album_cards(session: Session, *, search: str = "", before: str = "") -> tuple[list[AlbumCard], str | None]:
    """The newest albums first, and the id to ask for the next page with (`before`), or None at the end."""
    wanted = select(Album).where(Album.deleted_at.is_(None)).order_by(Album.id.desc()).limit(ALBUMS_A_PAGE + 1)
    if search:
        wanted = wanted.where(Album.title.icontains(search, autoescape=True))
    if before:
        wanted = wanted.where(Album.id < before)
    found = list(session.scalars(wanted))
    albums = found[:ALBUMS_A_PAGE]
    covers = ordering.covers(session, albums)
    load_pictures(session, covers.values())
    counted = counts(session, [album.id for album in albums])
    cards = [AlbumCard(album, counted.get(album.id, Counts()), covers.get(album.id)) for album in albums]
    return cards, albums[-1].id if len(found) > len(albums) else None


def counts(session: Session, album_ids: list[str]) -> dict[str, Counts]:
    """By album id; an album without assets is left out."""

    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    viewable = Asset.state.in_((AssetState.READY, AssetState.VIEWABLE))
    statement = (
        select(
            Asset.album_id,
            number(viewable & (Asset.kind == Kind.PHOTO)),
            number(viewable & (Asset.kind == Kind.VIDEO)),
            number(Asset.state.in_((AssetState.RECEIVED, AssetState.PROCESSING))),
            number(Asset.state.in_(_REFUSED)),
        )
        .where(Asset.album_id.in_(album_ids), Asset.deleted_at.is_(None), Asset.held.is_(False))
        .group_by(Asset.album_id)
    )
    return {row[0]: Counts(*(int(value) for value in row[1:])) for row in session.execute(statement)}


def assets_page(session: Session, album: Album, *, after: str = "") -> tuple[list[Asset], str | None]:
    """Assets in every state in the album's order, with renditions, and the id to go on after, or None at the end.

    The cursor is an asset's id: its place is looked up, so a page goes on rightly although assets were moved.
    """
    key = ordering.sort_key(album.ordering)
    wanted = live_assets(album).order_by(key, Asset.id).limit(ASSETS_A_PAGE + 1)
    if after:
        place = session.scalar(select(key).where(Asset.id == after, Asset.album_id == album.id))
        if place is not None:
            wanted = wanted.where((key > place) | ((key == place) & (Asset.id > after)))
    found = list(session.scalars(wanted))
    page = found[:ASSETS_A_PAGE]
    return page, page[-1].id if len(found) > len(page) else None


def changed_assets(session: Session, album: Album, *, since: datetime, watched: list[str]) -> list[Asset]:
    """Live assets that arrived from `since` on, and the `watched` ones."""
    wanted = live_assets(album).where((Asset.created_at >= since) | Asset.id.in_(watched))
    return list(session.scalars(wanted.order_by(Asset.id)))


def working(session: Session, album: Album) -> int:
    """How many are not finished, those that can be viewed already included."""
    unfinished = select(func.count()).where(
        Asset.tenant_id == album.tenant_id,
        Asset.album_id == album.id,
        Asset.deleted_at.is_(None),
        Asset.state.not_in(TERMINAL),
    )
    return session.scalar(unfinished.select_from(Asset)) or 0


def live_assets(album: Album) -> Select[Asset]:
    return (
        select(Asset)
        .where(Asset.album_id == album.id, Asset.deleted_at.is_(None), Asset.held.is_(False))
        .options(selectinload(Asset.renditions))
    )


def load_pictures(session: Session, assets: Iterable[Asset]) -> None:
    """Load the renditions of assets that came without, in one query."""
    ids = [asset.id for asset in assets]
    if ids:
        again = select(Asset).where(Asset.id.in_(ids)).options(selectinload(Asset.renditions))
        session.scalars(again.execution_options(populate_existing=True)).all()


def twins(session: Session, assets: Iterable[Asset]) -> dict[str, Album]:
    """Where the same bytes are already: the album of each older twin, by the duplicate's id."""
    assets = [asset for asset in assets if asset.duplicate_of]
    older = {asset.duplicate_of for asset in assets}
    rows = session.execute(
        select(Asset.id, Album)
        .join(Album, (Album.tenant_id == Asset.tenant_id) & (Album.id == Asset.album_id))
        .where(Asset.id.in_(older), Asset.deleted_at.is_(None), Album.deleted_at.is_(None))
    )
    found = {row[0]: row[1] for row in rows}
    return {asset.id: found[asset.duplicate_of] for asset in assets if asset.duplicate_of in found}


def trash(session: Session) -> tuple[list[Album], list[tuple[Album, list[Asset]]]]:
    """Deleted albums, and the deleted assets of live albums by album; the latest first, up to a page of each."""
    albums = select(Album).where(Album.deleted_at.is_not(None)).order_by(Album.deleted_at.desc()).limit(ALBUMS_A_PAGE)
    rows = session.execute(
        select(Asset, Album)
        .join(Album, (Album.tenant_id == Asset.tenant_id) & (Album.id == Asset.album_id))
        .where(Asset.deleted_at.is_not(None), Album.deleted_at.is_(None))
        .order_by(Asset.deleted_at.desc(), Asset.id)
        .limit(ASSETS_A_PAGE)
        .options(selectinload(Asset.renditions))
    )
    groups: dict[str, tuple[Album, list[Asset]]] = {}
    for asset, album in rows:
        groups.setdefault(album.id, (album, []))[1].append(asset)
    return list(session.scalars(albums)), list(groups.values())
