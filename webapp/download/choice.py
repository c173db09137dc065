"""Which stored objects a download is made of."""

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, null, or_, select
from sqlalchemy.orm import Session

from tenants import blanks
from tenants.blanks import Blanks
from tenants.catalog import SHOWN, Album, Asset, Rendition
from tenants.filenames import distinct
from tenants.names import FULL, MARKED, original_key, rendition_key
from tenants.ordering import sort_key
from tenants.sharing import Action, Viewer, may
from webapp.download.archive import Archive, Entry
from webapp.site.listing import visible

WEB_WIDTH = 2048
"""The widest JPEG up to this is what someone gets who asks for web size."""

FILM = "video.mp4"


class Size(enum.Enum):
    """WEB is what pages show: JPEG and MP4. ORIGINAL is what was uploaded. FULL is for those who would get originals if
    they did not see the watermark: photos in the original's size with it, where the tenant has them made."""

    WEB = "web"
    ORIGINAL = "original"
    FULL = "full"


RIGHTS = {
    Size.WEB: Action.DOWNLOAD_WEB,
    Size.ORIGINAL: Action.DOWNLOAD_ORIGINAL,
    Size.FULL: Action.DOWNLOAD_FULL,
}
"""What one must be allowed to do to get each size."""


def allowed(viewer: Viewer, album: Album) -> list[Size]:
    return [size for size in Size if may(viewer, RIGHTS[size], album)]


@dataclass(frozen=True, slots=True)
class File:
    """One object to be put into the archive. `crc32` is None while nobody has computed it."""

    asset_id: str
    filename: str
    key: str
    size: int
    crc32: int | None
    changed: datetime
    rendition: tuple[int, str] | None = None
    """Generation and name, unless it is the original."""
    blanks: Blanks | None = None
    """What of an original leaves blanked. Its CRC-32 is then that of what leaves."""


def files_of(
    session: Session, album: Album, size: Size, only: frozenset[str] | None = None, *, marked: bool, placeless: bool
) -> list[File]:
    """In the album's order; `only` leaves out others. One statement, of columns, however many there are.

    `marked`: web size is what there is with the watermark. Originals have none. `placeless`: originals leave without
    their place, and those that cannot are left out; one that nobody has looked at has neither `blanks` nor `crc32`.
    """
    prefix = MARKED if marked else ""
    if size is Size.ORIGINAL:
        files = _originals(session, album, placeless=placeless)
    elif size is Size.FULL:
        files = _stored(session, album, Rendition.name == f"{MARKED}{FULL}")
    else:
        still = and_(Rendition.name.like(f"{prefix}w%"), Rendition.content_type == "image/jpeg")
        files = _stored(session, album, or_(still, Rendition.name == f"{prefix}{FILM}"))
    return files if only is None else [file for file in files if file.asset_id in only]


def archive_of(files: list[File]) -> Archive:
    names = distinct(file.filename for file in files)
    return Archive([Entry(name, file.size, file.changed) for name, file in zip(names, files, strict=True)])


def etag_of(files: list[File]) -> str:
    """Strong: another list, or another content of a file, makes another one. Keys name contents: they never change."""
    running = hashlib.sha256(b"archive 2\n")  # Another layout needs another number here.
    for file in files:
        blanked = file.blanks.crc32 if file.blanks and file.blanks.patches else ""
        running.update(f"{file.key}\0{file.size}\0{file.filename}\0{file.changed.isoformat()}\0{blanked}\n".encode())
    return running.hexdigest()[:32]


def _originals(session: Session, album: Album, *, placeless: bool) -> list[File]:
    rows = session.execute(
        select(*_WHEN, Asset.filename, Asset.sha256, Asset.size, Asset.crc32)
        .add_columns(Asset.blanks if placeless else null().label("blanks"))
        .where(*_shown(album))
        .order_by(sort_key(album.ordering), Asset.id)
    )
    return [
        File(
            row.id,
            row.filename,
            original_key(album.tenant_id, row.id, row.sha256),
            row.size,
            found.crc32 if found and found.patches else row.crc32,
            _clock(row.taken_at, row.taken_offset),
            blanks=found,
        )
        for row in rows
        if (found := blanks.of(row.blanks)) is None or found.possible
    ]


def _stored(session: Session, album: Album, wanted: ColumnElement[bool]) -> list[File]:
    """The best of the wanted renditions of each asset."""
    rows = session.execute(
        select(*_WHEN, Asset.filename, Rendition.generation, Rendition.name)
        .add_columns(Rendition.width, Rendition.size, Rendition.crc32)
        .join(
            Rendition,
            and_(
                Rendition.tenant_id == Asset.tenant_id,
                Rendition.asset_id == Asset.id,
                Rendition.generation == Asset.generation,
            ),
        )
        .where(*_shown(album), wanted)
        .order_by(sort_key(album.ordering), Asset.id)
    )
    best: dict[str, Row[Any]] = {}
    for row in rows:
        before = best.get(row.id)
        if before is None or _preference(row) > _preference(before):
            best[row.id] = row
    return _as_files(album, best.values())


def _preference(row: Row[Any]) -> tuple[bool, bool, int]:
    """A film before its poster, then what fits, then the widest; of what does not fit, the narrowest."""
    fits = row.width is not None and row.width <= WEB_WIDTH
    return row.name.endswith(FILM), fits, (row.width or 0) if fits else -(row.width or 0)


def _as_files(album: Album, rows: Iterable[Row[Any]]) -> list[File]:
    return [
        File(
            row.id,
            f"{row.filename.rpartition('.')[0] or row.filename}{PurePosixPath(row.name).suffix}",
            rendition_key(album.tenant_id, row.id, row.generation, row.name),
            row.size,
            row.crc32,
            _clock(row.taken_at, row.taken_offset),
            (row.generation, row.name),
        )
        for row in rows
    ]


_WHEN = (Asset.id, Asset.taken_at, Asset.taken_offset)


def _shown(album: Album) -> tuple[Any, ...]:
    return (
        Asset.tenant_id == album.tenant_id,
        Asset.album_id == album.id,
        Asset.generation > 0,
        Asset.state.in_(SHOWN),
        visible(),
    )


def _clock(taken_at: datetime, offset: int | None) -> datetime:
    """The time on the clock that hung there: it is the one that file managers show."""
    return taken_at.astimezone(timezone(timedelta(minutes=offset or 0)))
