"""What the dashboard lists: album cards and an album's assets, each page in a constant number of queries."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, select, tuple_
from sqlalchemy.orm import Session, selectinload

from tenants import ordering
from tenants.catalog import TERMINAL, Album, Asset, AssetState, Kind, Visibility

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


ALBUM_KEYS: dict[str, ColumnElement[Any]] = {
    "newest": Album.created_at.expression,
    "oldest": Album.created_at.expression,
    "changed": Album.updated_at.expression,
    "title": func.lower(Album.title),
}
FALLING = ("newest", "changed")


@dataclass(frozen=True)
class AlbumsWanted:
    """What the list of albums shows, and in which order. Empty fields let everything through."""

    words: str = ""
    visibility: str = ""
    holds: str = ""
    sort: str = "newest"

    @property
    def filtered(self) -> bool:
        return bool(self.words or self.visibility or self.holds)


@dataclass(frozen=True)
class AlbumCard:
    album: Album
    counts: Counts
    cover: Asset | None


def album_cards(session: Session, wanted: AlbumsWanted, *, after: str = "") -> tuple[list[AlbumCard], str | None]:
    """A page of the albums that are wanted, and the id to ask for the next one with (`after`), or None at the end."""
    found = list(session.scalars(_albums(session, wanted, after).limit(ALBUMS_A_PAGE + 1)))
    albums = found[:ALBUMS_A_PAGE]
    covers = ordering.covers(session, albums)
    load_pictures(session, covers.values())
    counted = counts(session, [album.id for album in albums])
    cards = [AlbumCard(album, counted.get(album.id, Counts()), covers.get(album.id)) for album in albums]
    return cards, albums[-1].id if len(found) > len(albums) else None


def _albums(session: Session, wanted: AlbumsWanted, after: str) -> Select[Album]:
    statement = select(Album).where(Album.deleted_at.is_(None))
    if wanted.words:
        statement = statement.where(Album.title.icontains(wanted.words, autoescape=True))
    if wanted.visibility:
        statement = statement.where(Album.visibility == Visibility(wanted.visibility))
    if wanted.holds:
        statement = statement.where(_HOLDS[wanted.holds]())
    key = ALBUM_KEYS[wanted.sort]
    place = session.scalar(select(key).where(Album.id == after)) if after else None
    falling = wanted.sort in FALLING
    if place is not None:
        there, here = tuple_(key, Album.id), tuple_(literal(place, key.type), literal(after))
        statement = statement.where(there < here if falling else there > here)
    return statement.order_by(*((key.desc(), Album.id.desc()) if falling else (key, Album.id)))


def _has(*states: AssetState) -> ColumnElement[bool]:
    """Whether an album has a live asset, of these states if any are given."""
    live = select(Asset.id).where(
        Asset.tenant_id == Album.tenant_id,
        Asset.album_id == Album.id,
        Asset.deleted_at.is_(None),
        Asset.held.is_(False),
    )
    return (live.where(Asset.state.in_(states)) if states else live).correlate(Album).exists()


_HOLDS: dict[str, Callable[[], ColumnElement[bool]]] = {
    "working": lambda: _has(AssetState.RECEIVED, AssetState.PROCESSING),
    "refused": lambda: _has(*_REFUSED),
    "nothing": lambda: ~_has(),
}
HOLDS = tuple(_HOLDS)
"""What `AlbumsWanted.holds` may be."""


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


@dataclass(frozen=True)
class AssetsPage:
    """`earlier` and `following` are the ids to ask for the neighbouring pages with (`before`, `after`); None where
    there is none."""

    assets: list[Asset]
    earlier: str | None
    following: str | None


def assets_page(session: Session, album: Album, *, after: str = "", before: str = "") -> AssetsPage:
    """Assets in every state in the album's order, with renditions: those behind `after`, or right before `before`.

    A cursor is an asset's id: its place is looked up, so a page goes on rightly although assets were moved.
    """
    key = ordering.sort_key(album.ordering)
    cursor = before or after
    place = session.scalar(select(key).where(Asset.id == cursor, Asset.album_id == album.id)) if cursor else None
    backwards = bool(before) and place is not None
    order = (key.desc(), Asset.id.desc()) if backwards else (key, Asset.id)
    wanted = live_assets(album).order_by(*order).limit(ASSETS_A_PAGE + 1)
    if place is not None:
        here = tuple_(literal(place, key.type), literal(cursor))
        there = tuple_(key, Asset.id)
        wanted = wanted.where(there < here if backwards else there > here)
    found = list(session.scalars(wanted))
    more, page = len(found) > ASSETS_A_PAGE, found[:ASSETS_A_PAGE]
    if backwards:
        page.reverse()
    is_before, is_after = (more, True) if backwards else (place is not None, more)
    return AssetsPage(page, page[0].id if page and is_before else None, page[-1].id if page and is_after else None)


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
    gone = (Album.deleted_at.is_not(None), Album.emptied_at.is_(None))
    albums = select(Album).where(*gone).order_by(Album.deleted_at.desc()).limit(ALBUMS_A_PAGE)
    rows = session.execute(
        select(Asset, Album)
        .join(Album, (Album.tenant_id == Asset.tenant_id) & (Album.id == Asset.album_id))
        .where(Asset.deleted_at.is_not(None), Asset.emptied_at.is_(None), Album.deleted_at.is_(None))
        .order_by(Asset.deleted_at.desc(), Asset.id)
        .limit(ASSETS_A_PAGE)
        .options(selectinload(Asset.renditions))
    )
    groups: dict[str, tuple[Album, list[Asset]]] = {}
    for asset, album in rows:
        groups.setdefault(album.id, (album, []))[1].append(asset)
    return list(session.scalars(albums)), list(groups.values())


def trash_counts(session: Session) -> dict[str, int]:
    """How many deleted assets each live album has, by album id."""
    rows = session.execute(
        select(Asset.album_id, func.count())
        .join(Album, (Album.tenant_id == Asset.tenant_id) & (Album.id == Asset.album_id))
        .where(Asset.deleted_at.is_not(None), Asset.emptied_at.is_(None), Album.deleted_at.is_(None))
        .group_by(Asset.album_id)
    )
    return {row[0]: row[1] for row in rows}
