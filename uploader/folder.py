"""A folder of photos and videos into an album, through the same intake and the same finish as any upload."""

import hashlib
import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sqlalchemy import func, select

from infra.sql import reading
from tenants import catalog
from tenants.catalog import TERMINAL, Album, Asset, AssetState
from tenants.filenames import sort_name
from tenants.scope import Site
from tenants.tickets import Ticket
from uploader import locks, session
from uploader.append import append
from uploader.protocol import Creation
from uploader.rawbody import StreamBody

_MORE_TYPES = {".heic": "image/heic", ".heif": "image/heif", ".avif": "image/avif", ".webp": "image/webp"}
_CHUNK = 1024 * 1024

Moved = Callable[[int], None]


@dataclass(frozen=True)
class Progress:
    """Of an album's processing: how many assets, how many of them are done, and the percents of all added up."""

    total: int
    done: int
    percent: int


def media_files(folder: Path) -> list[Path]:
    """Photos and videos by name, sub-folders included, in natural order. Hidden files and links are left out."""
    return sorted(_walk(folder), key=lambda path: sort_name(path.relative_to(folder).as_posix()))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file() and type_of(path.name).partition("/")[0] in ("image", "video"):
            yield path


def type_of(name: str) -> str:
    """The media type by a file's name."""
    guessed = _MORE_TYPES.get(PurePosixPath(name).suffix.lower()) or mimetypes.guess_type(name)[0]
    return guessed or "application/octet-stream"


def album_titled(site: Site, title: str, **fields: object) -> Album:
    """The newest living album with that title, or a new one. Commits."""
    statement = select(Album).where(Album.title == title, Album.deleted_at.is_(None)).order_by(Album.id.desc())
    album = site.session.scalars(statement).first()
    if album is None:
        album = catalog.create_album(site.session, site.tenant_id, title, now=site.now(), **fields)
    site.session.commit()
    return album


def bring_in(site: Site, album_id: str, path: Path, moved: Moved) -> str | None:
    """Upload one file; its asset id, or None if the album has these bytes already. `moved` hears of bytes done.

    Raises `Problem` for an empty or too large file and when the disk is full.
    """
    size = path.stat().st_size
    if size and _has(site, album_id, _sha256(path)):
        moved(size)
        return None
    with path.open("rb") as file:
        return arrive(site, album_id, path.name, size, file, moved)


def arrive(
    site: Site, album_id: str, filename: str, size: int, file: BinaryIO, moved: Moved, *, sha256: str | None = None
) -> str:
    """Upload `size` bytes as any client would; the asset's id. With `sha256` they must have that hash.

    Raises `Problem` for an empty or too large file, for another hash, and when the disk or the plan is full.
    """
    ticket = Ticket(
        tenant=site.tenant_id,
        album=album_id,
        max_bytes=site.entitlements.max_upload_bytes,
        types=("*/*",),
        expires=int((site.now() + timedelta(days=1)).timestamp()),
    )
    wanted = Creation(filename=filename, filetype=type_of(filename), length=size, sha256=sha256)
    upload = session.create(site, ticket, wanted)
    lease = locks.acquire(site, upload)
    site.session.commit()
    standing = append(site, lease, StreamBody(_Counted(file, moved), size))
    if isinstance(standing.trouble, Exception):
        raise standing.trouble
    assert standing.finished is not None
    return standing.finished.asset_id


class _Counted:
    """A file that tells how much was read of it."""

    def __init__(self, file: object, moved: Moved) -> None:
        self._file = file
        self._moved = moved

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)  # type: ignore[attr-defined]
        self._moved(len(data))
        return data


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has(site: Site, album_id: str, sha256: str) -> bool:
    with reading():
        found = site.session.scalar(
            select(Asset.id).where(Asset.album_id == album_id, Asset.sha256 == sha256, Asset.deleted_at.is_(None))
        )
    site.session.rollback()
    return found is not None


def progress(site: Site, album_id: str) -> Progress:
    """How far the album's assets are."""
    living = select(func.count(), func.count().filter(Asset.state.in_(TERMINAL)), func.sum(Asset.progress)).where(
        Asset.album_id == album_id, Asset.deleted_at.is_(None), Asset.tenant_id == site.tenant_id
    )
    with reading():
        total, done, percent = site.session.execute(living).one()
    site.session.rollback()
    return Progress(total, done, int(percent or 0))


def refused(site: Site, album_id: str) -> list[tuple[str, str]]:
    """`(file name, reason)` of what was rejected or failed."""
    statement = select(Asset.filename, Asset.reason).where(
        Asset.album_id == album_id,
        Asset.state.in_((AssetState.REJECTED, AssetState.FAILED)),
        Asset.deleted_at.is_(None),
        Asset.tenant_id == site.tenant_id,
    )
    with reading():
        found = [(row.filename, row.reason) for row in site.session.execute(statement.order_by(Asset.sort_name))]
    site.session.rollback()
    return found
