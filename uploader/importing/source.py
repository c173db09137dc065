"""Files to import, by their paths: of folders and of ZIP files, together as if they were one.

Google cuts a large Takeout into several ZIP files, with a photo in one and its side file in another. Paths are checked
once, here: they are relative, without `..`, and name each entry once. Links and special files are left out.
"""

import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from infra.errors import Problem

MOST_ENTRIES = 500_000
MOST_RATIO = 200
SLACK = 1024 * 1024
"""Bytes that an entry may have whatever its ratio: small documents of blanks are no bombs."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir")


@dataclass(frozen=True)
class Entry:
    """A file. `mark` says what it is without reading it, where the source knows (CRC-32 and size); else it is empty."""

    path: str
    size: int
    mark: str
    open: Callable[[], BinaryIO]

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def folder(self) -> str:
        parent = str(PurePosixPath(self.path).parent)
        return "" if parent == "." else parent


@dataclass(frozen=True)
class Skipped:
    path: str
    reason: str


@dataclass
class Source:
    """Entries by path, in the order of their paths, and what was left out with the reason."""

    name: str
    entries: dict[str, Entry] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    _folders: dict[str, list[str]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        if entry.path in self.entries:
            self.skipped.append(Skipped(entry.path, "there is another file of this name in the source"))
        else:
            self.entries[entry.path] = entry

    def skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(path, reason))

    def inside(self, folder: str) -> list[str]:
        """Paths of what is right in a folder (`a/b`, without a final slash)."""
        if not self._folders:
            for path, entry in self.entries.items():
                self._folders.setdefault(entry.folder, []).append(path)
        return self._folders.get(folder, [])

    def read(self, path: str, most: int) -> bytes | None:
        """A small file whole; None if there is none, or it is larger than `most` bytes or damaged."""
        entry = self.entries.get(path)
        if entry is None or entry.size > most:
            return None
        try:
            with entry.open() as file:
                return file.read(most)
        except (OSError, zipfile.BadZipFile, EOFError):
            return None


def open_all(paths: Iterable[Path]) -> Source:
    """One source of all folders and ZIP files. Raises `Problem` for anything else, and for a bomb."""
    paths = list(paths)
    source = Source(paths[0].resolve().stem if paths[0].is_file() else paths[0].resolve().name)
    for path in paths:
        if path.is_dir():
            for entry in _of_folder(path, source):
                source.add(entry)
        elif zipfile.is_zipfile(path):
            for entry in _of_zip(path, source):
                source.add(entry)
        else:
            raise Problem("invalid", f"{path} is neither a folder nor a ZIP file. Unpack it first and name the folder.")
        if len(source.entries) > MOST_ENTRIES:
            raise Problem(
                "too-large", f"More than {MOST_ENTRIES:,} files are too many for one import. Take it in parts."
            )
    source.entries = dict(sorted(source.entries.items()))
    return source


def is_junk(path: str) -> bool:
    return any(part in _JUNK or part.startswith("._") for part in PurePosixPath(path).parts)


# --- Folders ----------------------------------------------------------------------------------------------------------


def _of_folder(root: Path, source: Source) -> Iterator[Entry]:
    for here, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in (*files, *folders):
            path = Path(here, name)
            shown = path.relative_to(root).as_posix()
            if path.is_symlink():
                source.skip(shown, "it is a link")
            elif name in folders or name.startswith(".") or is_junk(shown):
                continue
            elif not path.is_file():
                source.skip(shown, "it is no ordinary file")
            else:
                yield Entry(shown, path.stat().st_size, "", lambda path=path: _opened(path))  # type: ignore[misc]
        folders[:] = [name for name in folders if not Path(here, name).is_symlink()]


def _opened(path: Path) -> BinaryIO:
    """The file that was seen, and no link that has taken its place since."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no ordinary file any more")
    return os.fdopen(descriptor, "rb")


# --- ZIP files --------------------------------------------------------------------------------------------------------


def _of_zip(path: Path, source: Source) -> Iterator[Entry]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise Problem("invalid", f"{path} is damaged: {error}. Download it again.") from None
    infos = archive.infolist()
    if len(infos) > MOST_ENTRIES:
        raise Problem("too-large", f"{path} has {len(infos):,} entries, more than {MOST_ENTRIES:,}.")
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise Problem(
            "invalid", f"{path} holds the same bytes many times over. That is a trap, and nothing was imported."
        )
    for info in infos:
        if info.is_dir() or is_junk(info.filename):
            continue
        reason = _refusal(info)
        if reason:
            source.skip(info.filename, reason)
            continue
        yield Entry(
            info.filename,
            info.file_size,
            f"{info.CRC:08x}-{info.file_size}",
            lambda info=info: cast(BinaryIO, archive.open(info)),  # type: ignore[misc]
        )


def _refusal(info: zipfile.ZipInfo) -> str:
    """Why an entry is left out; empty if it is not."""
    name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    parts = name.split("/")
    if (
        "\\" in name
        or name.startswith("/")
        or ".." in parts
        or "" in parts
        or ":" in parts[0]
        or not name.isprintable()
    ):
        return "its path leads out of the archive, or is no path"
    if kind == stat.S_IFLNK:
        return "it is a link"
    if kind not in (0, stat.S_IFREG):
        return "it is no ordinary file"
    if info.flag_bits & 1:
        return "it is encrypted"
    if info.compress_type not in _METHODS:
        return "it is compressed in a way that is not known here"
    if info.file_size > MOST_RATIO * info.compress_size + SLACK:
        return "it would unpack to implausibly much"
    return ""
