"""Files that a tenant has more than once, told by the SHA-256 of their originals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from infra.errors import Problem
from tenants.catalog import Album, Asset

GROUPS_A_PAGE = 30
MOST_SHOWN = 12
"""Copies of one file that a page shows; the oldest."""


@dataclass(frozen=True)
class Group:
    """The same bytes, the oldest copy first, each with its album. `count` may be more than are shown."""

    sha256: str
    count: int
    size: int
    copies: list[tuple[Asset, Album]]

    @property
    def spare(self) -> int:
        """Bytes that would be free with one copy."""
        return (self.count - 1) * self.size


def groups(session: Session, *, after: str = "") -> tuple[list[Group], str | None]:
    """A page of files with more than one copy, by SHA-256, and where to go on (`after`), or None at the end."""
    number = func.count()
    rows = session.execute(
        _live()
        .with_only_columns(Asset.sha256, number, func.max(Asset.size))
        .where(Asset.sha256 > after)
        .group_by(Asset.sha256)
        .having(number > 1)
        .order_by(Asset.sha256)
        .limit(GROUPS_A_PAGE + 1)
    ).all()
    page = rows[:GROUPS_A_PAGE]
    found = session.execute(
        _live()
        .with_only_columns(Asset, Album)
        .where(Asset.sha256.in_([row[0] for row in page]))
        .order_by(Asset.id)
        .options(selectinload(Asset.renditions))
    )
    copies: dict[str, list[tuple[Asset, Album]]] = {}
    for asset, album in found:
        copies.setdefault(asset.sha256, []).append((asset, album))
    made = [Group(row[0], row[1], int(row[2]), copies.get(row[0], [])[:MOST_SHOWN]) for row in page]
    return made, page[-1][0] if len(rows) > len(page) else None


def keep(session: Session, tenant_id: str, asset_id: str, *, now: datetime) -> tuple[Asset, Sequence[str]]:
    """Put every other copy of that asset's file into the trash, whatever album it is in; the asset and their albums.

    Raises `Problem("not-found")` if the asset is gone, or was the only copy.
    """
    kept = session.scalar(select(Asset).where(Asset.id == asset_id, Asset.deleted_at.is_(None), Asset.held.is_(False)))
    if kept is None:
        raise Problem("not-found", "This file is gone. Reload the page.")
    others = (
        Asset.tenant_id == tenant_id,
        Asset.sha256 == kept.sha256,
        Asset.id != kept.id,
        Asset.deleted_at.is_(None),
        Asset.held.is_(False),
    )
    albums = session.scalars(select(Asset.album_id).where(*others)).all()
    if not albums:
        raise Problem("not-found", "There is no other copy any more. Reload the page.")
    session.execute(update(Asset).where(*others).values(deleted_at=now).execution_options(synchronize_session=False))
    return kept, albums


def bring_back(session: Session, tenant_id: str, sha256: str, moment: datetime) -> int:
    """Undo `keep`; how many copies came back."""
    gone = (Asset.tenant_id == tenant_id, Asset.sha256 == sha256, Asset.deleted_at == moment)
    back = session.execute(
        update(Asset)
        .where(*gone, Asset.emptied_at.is_(None))
        .values(deleted_at=None)
        .execution_options(synchronize_session=False)
    )
    session.expire_all()
    return int(back.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _live() -> Any:
    """Live assets with their albums; the columns are the caller's to say."""
    return (
        select(Asset)
        .join(Album, (Album.tenant_id == Asset.tenant_id) & (Album.id == Asset.album_id))
        .where(Asset.deleted_at.is_(None), Asset.held.is_(False), Album.deleted_at.is_(None))
    )
