"""What an import is going to do: albums, files, and what is left out, whatever the source was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from uploader.folder import type_of
from uploader.importing.source import Entry, Skipped

MOST_CAPTION = 5000


@dataclass(frozen=True)
class Details:
    """What a source knows of a file besides its bytes. `place` is latitude and longitude in degrees; it is kept private
    (`tenants/privacy.py`). `taken_at` is aware."""

    caption: str = ""
    tags: tuple[str, ...] = ()
    taken_at: datetime | None = None
    taken_offset: int | None = None
    captured: bool = True
    """Whether `taken_at` is when it was taken, and not just what it is sorted by."""
    place: tuple[float, float] | None = None
    media: dict[str, str] = field(default_factory=dict)
    position: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class PlannedAlbum:
    """`key` names it in its source; `fields` are columns of the album. `cover` is a file's path."""

    key: str
    title: str
    description: str = ""
    parent: str | None = None
    slug: str = ""
    cover: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedFile:
    """`details` are read when the file's turn comes: a plan of 100,000 files must not hold all their side files."""

    entry: Entry
    album: str
    filename: str
    details: Callable[[], Details] = Details


@dataclass
class Plan:
    """`albums` are in an order in which each comes after the one that it is in."""

    format: str
    albums: list[PlannedAlbum] = field(default_factory=list)
    files: list[PlannedFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    settings: dict[str, Any] | None = None
    """The tenant's own, as an export of ours has them."""
    brand: list[Entry] = field(default_factory=list)

    def skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))

    @property
    def bytes(self) -> int:
        return sum(file.entry.size for file in self.files)


def is_media(name: str) -> bool:
    """Whether a file's name says that it is a photo or a video. Its content decides later."""
    return type_of(name).partition("/")[0] in ("image", "video") and not name.lower().endswith((".svg", ".svgz"))


def outermost_first(parents: Mapping[str, Any]) -> list[str]:
    """Keys, each behind its parent, otherwise in their own order. A parent that is none of them, or that lies within
    what it should be around, is passed over."""
    placed: dict[str, None] = {}
    for key in parents:
        chain = [key]
        while (parent := parents[chain[-1]]) in parents and parent not in placed and parent not in chain:
            chain.append(parent)
        placed.update(dict.fromkeys(reversed(chain)))
    return list(placed)
