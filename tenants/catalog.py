"""Albums, assets and renditions: the tables and the rules that hold inside them.

An asset's life is one state machine (`AssetState`); `fence` and `leased_until` are its lease (`processor/lease.py`);
`generation` is the set of renditions that pages show. A worker writes into the generation numbered by its own fence and
publishes it by compare-and-set, so a late writer changes nothing.
"""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    bindparam,
    false,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from sqlalchemy_utils import ChoiceType

from infra.errors import Problem
from tenants.db import Base, TenantOwned, belongs_to
from tenants.filenames import clean_filename, slugify, sort_name
from tenants.names import ID_LENGTH, new_id
from tenants.registry import Layout

POSITION_STEP = 1 << 20


class Visibility(enum.Enum):
    """PUBLIC is listed on the home page, UNLISTED opens for who has the address, PRIVATE needs a share link."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Ordering(enum.Enum):
    MANUAL = "manual"
    CAPTURED = "captured"
    NAME = "name"


class Kind(enum.Enum):
    """PENDING until the content has been looked at: a file's name and declared type are not believed."""

    PENDING = "pending"
    PHOTO = "photo"
    VIDEO = "video"

    __hash__ = object.__hash__  # As of `tenants.usage.Meter`: tiles that are drawn are known by these.


class AssetState(enum.Enum):
    """RECEIVED -> PROCESSING -> VIEWABLE -> READY; REJECTED (the file's fault) and FAILED (ours) end it early.

    VIEWABLE: the first renditions are published and pages show them while the rest is made. READY goes back to it when
    a rendition is lost (`healing.py`).
    """

    RECEIVED = "received"
    PROCESSING = "processing"
    VIEWABLE = "viewable"
    READY = "ready"
    REJECTED = "rejected"
    FAILED = "failed"

    __hash__ = object.__hash__  # As of `tenants.usage.Meter`: tiles that are drawn are known by these.


TERMINAL = (AssetState.READY, AssetState.REJECTED, AssetState.FAILED)
SHOWN = (AssetState.VIEWABLE, AssetState.READY)


UNFINISHED = text("state IN ('received', 'processing', 'viewable')")
"""Not TERMINAL, word for word as the partial index has it: with bound values SQLite could not tell that it fits."""


DELETED = text("deleted_at IS NOT NULL")


LEAN = text("lean")


class Album(TenantOwned, Base):
    __tablename__ = "albums"
    __table_args__ = (UniqueConstraint("tenant_id", "slug"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    slug: Mapped[str] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    visibility: Mapped[Visibility] = mapped_column(ChoiceType(Visibility, impl=String(10)), default=Visibility.PRIVATE)
    ordering: Mapped[Ordering] = mapped_column(ChoiceType(Ordering, impl=String(10)), default=Ordering.CAPTURED)
    originals: Mapped[bool] = mapped_column(default=False)
    """Whether whoever may view the album may also download originals."""
    capture: Mapped[str | None] = mapped_column(String(8))
    place: Mapped[bool | None]
    """What pages tell of how and where a photo was taken (`tenants/privacy.py`); None is as the tenant has it."""
    marks: Mapped[bool | None]
    """Whether visitors see its pictures with the watermark (`tenants/watermarks.py`); None is as the tenant has it."""
    layout: Mapped[Layout | None] = mapped_column(ChoiceType(Layout, impl=String(12)))
    """None: as the tenant's brand says."""
    cover_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """The chosen cover; without one (or when it is gone) the first shown asset serves."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    emptied_at: Mapped[datetime | None]
    """When it left the trash for good: the keeper removes it when it comes by (`processor/purge.py`)."""


class Asset(TenantOwned, Base):
    __tablename__ = "assets"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        # One index an ordering, each ending in the id: keyset pages read just their own rows.
        Index("ix_assets_manual", "tenant_id", "album_id", "position", "id"),
        Index("ix_assets_captured", "tenant_id", "album_id", "taken_at", "id"),
        Index("ix_assets_name", "tenant_id", "album_id", "sort_name", "id"),
        Index("ix_assets_sha256", "tenant_id", "sha256"),
        Index("ix_assets_state", "state", "leased_until"),
        Index(
            "ix_assets_deleted", "tenant_id", "album_id", "deleted_at", sqlite_where=DELETED, postgresql_where=DELETED
        ),
        Index("ix_assets_lean", "tenant_id", "id", sqlite_where=LEAN, postgresql_where=LEAN),
        Index("ix_assets_unfinished", "tenant_id", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    album_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    kind: Mapped[Kind] = mapped_column(ChoiceType(Kind, impl=String(8)), default=Kind.PENDING)
    state: Mapped[AssetState] = mapped_column(ChoiceType(AssetState, impl=String(12)), default=AssetState.RECEIVED)
    reason: Mapped[str] = mapped_column(String(300), default="")
    """Why it was rejected or failed: a sentence for the uploader."""
    filename: Mapped[str] = mapped_column(String(255))
    sort_name: Mapped[str] = mapped_column(String(255))
    caption: Mapped[str] = mapped_column(Text, default="")
    alt: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What a screen reader says instead of the picture; empty: the caption."""
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    crc32: Mapped[int | None] = mapped_column(BigInteger)
    """Of the original, for archives; None until it was processed, or downloaded, by a release that keeps it."""
    content_type: Mapped[str] = mapped_column(String(64), default="application/octet-stream")
    """By content, set with `kind`."""
    width: Mapped[int | None]
    height: Mapped[int | None]
    """Pixels as shown: after orientation."""
    duration: Mapped[float | None]
    """Seconds, of a video."""
    taken_at: Mapped[datetime]
    """Capture time where known, else when it was received: the key of the CAPTURED ordering."""
    taken_offset: Mapped[int | None]
    """Minutes east of UTC at capture; None where the file did not say (then `taken_at` holds its local time as UTC)."""
    has_capture_time: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    thumbhash: Mapped[str | None] = mapped_column(String(64))
    """Base64 of the ThumbHash."""
    dominant: Mapped[str | None] = mapped_column(String(7))
    """CSS hex."""
    duplicate_of: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """An older asset of the tenant with the same SHA-256, for the dashboard to point at."""
    held: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Added by a guest, and not approved yet: only editors see it."""

    generation: Mapped[int] = mapped_column(Integer, default=0)
    """The published generation; 0 before the first."""
    mark: Mapped[str | None] = mapped_column(String(16))
    """Of the published generation: which watermark its marked renditions carry; None if it has none."""
    lean: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Of the published generation: whether it lacks sizes, which a reached budget left out (`tenants/lean.py`)."""
    blanks: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What leaves of the original blanked, where its place may not be told (`tenants/blanks.py`)."""
    fence: Mapped[int] = mapped_column(Integer, default=0)
    leased_until: Mapped[datetime | None]
    stage: Mapped[str] = mapped_column(String(32), default="")
    progress: Mapped[int] = mapped_column(Integer, default=0)
    """Percent of processing."""

    created_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]
    """When a worker last took it up."""
    viewable_at: Mapped[datetime | None]
    """When pages could first show it."""
    ready_at: Mapped[datetime | None]
    """When the shown generation was whole: a rebuild moves it."""
    rebuild_asked_at: Mapped[datetime | None]
    """When a lost rendition was last found, unless it was made again since (`healing.py`)."""
    turn: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Degrees clockwise, 0 to 270, by which pictures are turned beside what the original itself says."""
    deleted_at: Mapped[datetime | None]
    emptied_at: Mapped[datetime | None]
    """As an album's."""

    renditions: Mapped[list["Rendition"]] = relationship(
        primaryjoin=lambda: (
            (Asset.tenant_id == Rendition.tenant_id)
            & (Asset.id == Rendition.asset_id)
            & (Asset.generation == Rendition.generation)
        ),
        foreign_keys=lambda: [Rendition.tenant_id, Rendition.asset_id, Rendition.generation],
        viewonly=True,
        lazy="raise",
    )


class Rendition(TenantOwned, Base):
    """One object of one generation, made from the original and so replaceable."""

    __tablename__ = "renditions"
    __table_args__ = (belongs_to("assets", "asset_id"),)

    asset_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    """Relative to the generation: `w640.jpg`, `w640.avif`, `hls/master.m3u8`, `video.mp4`; with the watermark
    `m/w640.jpg` and so on."""
    content_type: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None]
    height: Mapped[int | None]
    size: Mapped[int] = mapped_column(BigInteger)
    crc32: Mapped[int | None] = mapped_column(BigInteger)


def create_album(session: Session, tenant_id: str, title: str, *, now: datetime, **fields: object) -> Album:
    """An album with a slug of its own, made from the title."""
    if not title.strip():
        raise Problem("invalid", "An album needs a title.", field="title")
    base = slug = slugify(title)
    taken = set(session.scalars(select(Album.slug).where(Album.slug.startswith(base, autoescape=True))))
    number = 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    album = Album(
        tenant_id=tenant_id,
        id=new_id(),
        slug=slug,
        title=title.strip()[:200],
        created_at=now,
        updated_at=now,
        **fields,
    )
    session.add(album)
    session.flush()
    return album


_BY_SLUG = select(Album).where(Album.slug == bindparam("slug"), Album.deleted_at.is_(None))
"""Put together once: to do so costs more than to ask."""


def album_by_slug(session: Session, slug: str) -> Album | None:
    return session.scalar(_BY_SLUG, {"slug": slug})


def album_by_id(session: Session, tenant_id: str, album_id: str) -> Album | None:
    album = session.get(Album, (tenant_id, album_id))
    return album if album is not None and album.deleted_at is None else None


def add_asset(
    session: Session,
    album: Album,
    *,
    asset_id: str,
    filename: str,
    sha256: str,
    size: int,
    now: datetime,
) -> Asset:
    """A received asset at the end of its album, marked if the tenant has the same bytes already."""
    name = clean_filename(filename)
    # On PostgreSQL arrivals in one album take turns here, or two would get the same place; on SQLite all writers do.
    session.execute(select(Album.id).where(Album.id == album.id).with_for_update(key_share=True))
    last = session.scalar(select(func.max(Asset.position)).where(Asset.album_id == album.id)) or 0
    twin = session.scalar(
        select(Asset.id)
        .where(Asset.sha256 == sha256, Asset.deleted_at.is_(None), Asset.id != asset_id)
        .order_by(Asset.id)
        .limit(1)
    )
    asset = Asset(
        tenant_id=album.tenant_id,
        id=asset_id,
        album_id=album.id,
        filename=name,
        sort_name=sort_name(name),
        sha256=sha256,
        size=size,
        taken_at=now,
        position=last + POSITION_STEP,
        duplicate_of=twin,
        created_at=now,
    )
    session.add(asset)
    session.flush()
    return asset


def unfinished_before(session: Session, tenant_id: str, asset_id: str, limit: int) -> int:
    """How many of the tenant's older assets are not at their end, counted no further than `limit`."""
    older = select(Asset.id).where(UNFINISHED, Asset.tenant_id == tenant_id, Asset.id < asset_id).limit(limit)
    return session.scalar(select(func.count()).select_from(older.subquery())) or 0
