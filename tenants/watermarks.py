"""The tenant's watermark: what it looks like, where it is shown, and which photos do not have the present one yet.

It is put into renditions when they are made: each generation of an asset that needs it has the plain set and, below
`m/`, the same set with the mark. Who sees which is for `sharing.sees_marked`, and for the way in a media address
(`tenants/delivery.py`). Text, logo and picture alike are kept as one PNG with transparency, so whoever makes renditions
needs no typefaces.

A new mark has renditions made again as a lost one has (`tenants/healing.py`): a compare-and-set on READY, a media job
in the outbox, a new generation beside the one that is shown. `ask` starts some, the end of each asks for one more, and
`reconcile` for what was missed, so that a large tenant's photos do not stand before everybody's uploads all at once.
"""

import enum
import hashlib
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, String, and_, exists, false, func, literal, or_, select
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.sql import reading
from tenants import healing
from tenants.catalog import SHOWN, Album, Asset, AssetState
from tenants.db import Base, TenantOwned
from tenants.mark_layout import Position
from tenants.registry import Tenant
from tenants.scope import Site
from tenants.sharing import ShareLink

ONLY = "main"
"""The name of a tenant's one mark."""
_DRAWING = "1"
"""Changes with `mark_layout` and `processor/steps/watermark.py`, so that every photo is marked again."""


class Source(enum.Enum):
    """TEXT is the tenant's own or else its name, LOGO the brand's, PICTURE one that was sent for this."""

    TEXT = "text"
    LOGO = "logo"
    PICTURE = "picture"


class Watermark(TenantOwned, Base):
    """One a tenant, or none. `opacity` and `size` are percent; what `size` is of, `mark_layout.laid` says."""

    __tablename__ = "watermarks"

    name: Mapped[str] = mapped_column(String(16), primary_key=True, default=ONLY)
    source: Mapped[Source] = mapped_column(ChoiceType(Source, impl=String(8)), default=Source.TEXT)
    text: Mapped[str] = mapped_column(String(60), default="")
    picture_sha256: Mapped[str | None] = mapped_column(String(64))
    """The picture that was sent, as it is kept (`names.brand_key`)."""
    drawn_sha256: Mapped[str] = mapped_column(String(64))
    """The PNG that goes on pictures, kept in the same place."""
    position: Mapped[Position] = mapped_column(ChoiceType(Position, impl=String(8)), default=Position.CORNER)
    opacity: Mapped[int] = mapped_column(Integer, default=60)
    size: Mapped[int] = mapped_column(Integer, default=30)
    full: Mapped[bool] = mapped_column(default=False)
    """Whether photos are made in the original's size as well, for who else would get originals."""

    @property
    def digest(self) -> str:
        """Names what marked pictures look like: 16 hex digits."""
        parts = _DRAWING, self.drawn_sha256, self.position.value, self.opacity, self.size, self.full
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Progress:
    """Photos and videos that visitors see marked: how many have the present mark, of how many."""

    done: int
    of: int


def of(site: Site) -> Watermark | None:
    return site.session.get(Watermark, (site.tenant_id, ONLY))


def wanted_by(site: Site, album_id: str) -> Watermark | None:
    """The mark that pictures of the album are made with; None if nobody sees them marked. In a transaction of its own:
    what it gives is no longer part of a session."""
    with reading():
        found = site.session.scalar(select(Album.id).where(Album.id == album_id, _needs(site)))
        mark = of(site) if found else None
        if mark is not None:
            site.session.expunge(mark)
        site.session.rollback()
    return mark


def ask(site: Site, most: int = healing.AT_ONCE) -> int:
    """Have up to `most` photos without the present mark made again, within the current transaction; how many."""
    mark = of(site)
    if mark is None:
        return 0
    stale = (*_stale(site, mark), healing.rested(site))
    chosen = select(Asset.id).join(Album, _in_album()).where(*stale, _needs(site)).order_by(Asset.id).limit(most)
    ids = site.session.scalars(chosen).all()
    if not ids:
        return 0
    return len(healing.again(site, Asset.id.in_(ids), *stale, why="watermark"))


def ask_next(site: Site) -> None:
    """At the end of a job, after its commit: one more takes its place. Commits."""
    ask(site, 1)
    site.session.commit()


def catch_up(site: Site) -> int:
    """`ask` for what nobody has asked for: a job that was under way when the mark changed made the old one. Commits."""
    asked = ask(site, healing.room(site))
    site.session.commit()
    return asked


def progress(site: Site) -> Progress:
    mark = of(site)
    current = Asset.mark == mark.digest if mark else false()
    counted = (
        select(func.count().filter(current), func.count())
        .select_from(Asset)
        .join(Album, _in_album())
        .where(Asset.tenant_id == site.tenant_id, Asset.state.in_(SHOWN), Asset.deleted_at.is_(None), _needs(site))
    )
    return Progress(*site.session.execute(counted).one())


def _stale(site: Site, mark: Watermark) -> tuple[ColumnElement[bool], ...]:
    return (
        Asset.tenant_id == site.tenant_id,
        Asset.state == AssetState.READY,
        Asset.deleted_at.is_(None),
        or_(Asset.mark.is_(None), Asset.mark != mark.digest),
    )


def _in_album() -> ColumnElement[bool]:
    return and_(Album.tenant_id == Asset.tenant_id, Album.id == Asset.album_id)


def _needs(site: Site) -> ColumnElement[bool]:
    """Whether someone sees pictures of an album marked: its visitors, or those of one of its links."""
    # Asked of the table: the tenant of a site may be a few seconds old.
    tenant = select(Tenant.marks).where(Tenant.id == site.tenant_id).scalar_subquery()
    by_link = exists().where(
        ShareLink.tenant_id == Album.tenant_id,
        ShareLink.album_id == Album.id,
        ShareLink.marks.is_(True),
        ShareLink.revoked_at.is_(None),
    )
    return and_(
        Album.tenant_id == literal(site.tenant_id),
        Album.deleted_at.is_(None),
        or_(func.coalesce(Album.marks, tenant), by_link),
    )
