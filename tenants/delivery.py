"""Ways in: what let someone see pictures, as the addresses of the pictures name it, and whether it still stands.

A media address is a capability, signed once a page (`Site.generation_token`) and good for days, so that caches work.
That alone could not be taken back. So it names the way by which its reader came: an album that is open to everyone, a
share link, an embedding grant, a member, a program's token. Each request asks whether that way still stands, from the
tables themselves: there is no list of revocations that somebody might forget to write to. One statement answers for all
pictures of a way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, false, func, literal, null, or_, select
from sqlalchemy.orm import Session

from tenants.api_tokens import ApiToken
from tenants.catalog import Album, Asset, Visibility
from tenants.embeds import EmbedGrant
from tenants.hiding import HideRequest, HideState
from tenants.moves import AssetMove
from tenants.names import is_id
from tenants.people import Member
from tenants.registry import Tenant, TenantState
from tenants.sharing import ShareLink
from tenants.support import SupportGrant

LONGEST_TOKEN = timedelta(days=4)
"""Longer than any media token lives: what was deleted before that is in no address any more."""
MOST_GONE = 2000
"""Deleted pictures that a standing lists; with more of them each picture is looked up."""


@dataclass(frozen=True)
class Standing:
    """`gone` are assets that the way leads to no more; None when they are too many to be listed. `marked`: it leads to
    pictures with the watermark only, whatever it did when an address was made."""

    open: bool
    gone: frozenset[str] | None = frozenset()
    marked: bool = False


def by_openness(album_id: str) -> str:
    """The way of everyone, into an album that is public or unlisted."""
    return f"o{album_id}"


def by_link(link_id: str) -> str:
    return f"s{link_id}"


def by_membership(member_id: str) -> str:
    """The way of a member, into every album and into the trash."""
    return f"t{member_id}"


def by_support(grant_id: str) -> str:
    """The way of the operator's people whom the tenant let in, into all that members see."""
    return f"h{grant_id}"


def by_token(token_id: str) -> str:
    """The way of a program that reads the API, for as long as its token lives."""
    return f"k{token_id}"


def needs_cookie(way: str) -> bool:
    """Whether an edge that can should ask for a cookie as well: not for what everyone may see, nor in frames of other
    sites, where browsers keep no cookies, nor for programs, which have none."""
    return not way.startswith(("o", "e", "k"))


def _open_album(tenant_id: str, album_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    rows = _with_gone(tenant_id, literal(album_id), now, MARKS)
    return rows.where(Album.visibility != Visibility.PRIVATE)


def _live_link(tenant_id: str, link_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    link = and_(ShareLink.tenant_id == Album.tenant_id, ShareLink.album_id == Album.id)
    named = select(ShareLink.album_id).where(ShareLink.tenant_id == tenant_id, ShareLink.id == link_id)
    return (
        _with_gone(tenant_id, named.scalar_subquery(), now, func.coalesce(ShareLink.marks, MARKS))
        .join(ShareLink, link)
        .where(
            ShareLink.id == link_id,
            ShareLink.revoked_at.is_(None),
            or_(ShareLink.expires_at.is_(None), ShareLink.expires_at > now),
        )
    )


def _live_grant(tenant_id: str, grant_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    grant = and_(EmbedGrant.tenant_id == Album.tenant_id, EmbedGrant.album_id == Album.id)
    live = (EmbedGrant.id == grant_id, EmbedGrant.revoked_at.is_(None))
    named = select(EmbedGrant.album_id).where(EmbedGrant.tenant_id == tenant_id, EmbedGrant.id == grant_id)
    return _with_gone(tenant_id, named.scalar_subquery(), now, MARKS).join(EmbedGrant, grant).where(*live)


def _member(tenant_id: str, member_id: str, _now: datetime) -> Select[*tuple[Any, ...]]:
    none_gone: Select[*tuple[Any, ...]] = select(cast(null(), String), false(), false()).select_from(Member)
    return none_gone.where(Member.tenant_id == tenant_id, Member.id == member_id)


def _support(tenant_id: str, grant_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    none_gone: Select[*tuple[Any, ...]] = select(cast(null(), String), false(), false()).select_from(SupportGrant)
    live = (SupportGrant.ended_at.is_(None), SupportGrant.expires_at > now)
    return none_gone.where(SupportGrant.tenant_id == tenant_id, SupportGrant.id == grant_id, *live)


def _live_token(tenant_id: str, token_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    none_gone: Select[*tuple[Any, ...]] = select(cast(null(), String), false(), false()).select_from(ApiToken)
    lives = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now)
    return none_gone.where(
        ApiToken.tenant_id == tenant_id, ApiToken.id == token_id, ApiToken.revoked_at.is_(None), lives
    )


MARKS = func.coalesce(Album.marks, Tenant.marks)
"""`sharing.sees_marked` for whoever is no member, without what a link says."""


def _with_gone(
    tenant_id: str, album_id: ColumnElement[Any], now: datetime, marked: ColumnElement[Any]
) -> Select[*tuple[Any, ...]]:
    """A row for each asset that the album lost lately, deleted or moved, or one with NULL; none at all without the
    album. And whether the way shows marked pictures, and whether the tenant hides any."""
    since = now - LONGEST_TOKEN
    deleted = select(Asset.album_id, Asset.id).where(
        Asset.tenant_id == tenant_id, Asset.album_id == album_id, Asset.deleted_at > since
    )
    moved = select(AssetMove.album_id, AssetMove.asset_id).where(
        AssetMove.tenant_id == tenant_id, AssetMove.album_id == album_id, AssetMove.moved_at > since
    )
    lost = deleted.union_all(moved).subquery()
    hides = _hidden(Album.tenant_id).exists()
    rows: Select[*tuple[Any, ...]] = select(lost.c.id, marked, hides).select_from(Album)
    rows = rows.join(Tenant, Tenant.id == Album.tenant_id).outerjoin(lost, lost.c.album_id == Album.id)
    return rows.where(
        Album.tenant_id == tenant_id,
        Album.id == album_id,
        Album.deleted_at.is_(None),
        Tenant.state != TenantState.DELETED,
    )


WAYS: dict[str, Callable[[str, str, datetime], Select[*tuple[Any, ...]]]] = {
    "o": _open_album,
    "s": _live_link,
    "e": _live_grant,
    "t": _member,
    "h": _support,
    "k": _live_token,
}
"""The first character of a way, and the statement that tells its standing: no row, and it is closed; else a row for
each asset that is gone, or a single NULL, each with whether the way shows marked pictures only, and whether the tenant
hides pictures (`tenants/hiding.py`)."""


def standing(session: Session, tenant_id: str, way: str, now: datetime) -> Standing:
    """One statement, whatever the way, and another where pictures are hidden. What is no way at all is closed."""
    kind, subject = way[:1], way[1:]
    if kind not in WAYS or not is_id(subject):
        return Standing(open=False)
    rows = session.execute(WAYS[kind](tenant_id, subject, now).limit(MOST_GONE + 1)).all()
    gone = frozenset(asset_id for asset_id, *_ in rows if asset_id is not None)
    if rows and rows[0][2]:
        # Hidden since an address was made. A statement of its own: both in one would read all of an album's assets.
        gone |= set(session.scalars(_hidden(literal(tenant_id)).limit(MOST_GONE + 1)))
    marked = bool(rows) and bool(rows[0][1])
    return Standing(open=bool(rows), gone=gone if max(len(rows), len(gone)) <= MOST_GONE else None, marked=marked)


def ends(session: Session, tenant_id: str, way: str) -> datetime | None:
    """When the way closes by itself; None if nobody has said so."""
    if way[:1] != "s":
        return None
    link = select(ShareLink.expires_at).where(ShareLink.tenant_id == tenant_id, ShareLink.id == way[1:])
    return session.scalar(link)


def _hidden(tenant_id: Any) -> Select[Any]:
    return select(HideRequest.asset_id).where(HideRequest.tenant_id == tenant_id, HideRequest.state == HideState.HIDDEN)


def is_gone(session: Session, tenant_id: str, asset_id: str, way: str, now: datetime) -> bool:
    """Whether one asset is deleted, is hidden, is no longer in the album of that way, or never was."""
    live = select(Asset.id).where(Asset.tenant_id == tenant_id, Asset.id == asset_id, Asset.deleted_at.is_(None))
    if way[:1] != "t":
        album = WAYS[way[:1]](tenant_id, way[1:], now).with_only_columns(Album.id).limit(1)
        live = live.where(Asset.held.is_(False), Asset.album_id.in_(album))
    return session.scalar(live) is None
