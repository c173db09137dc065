"""Records on this machine's disk, from many processes, until one of them has handed them on.

Every process appends to a file of its own and holds a lock on it (flock(2)), which the kernel gives back when the
process ends, however it ends. A file without a holder is anyone's to take. So a record survives the process that wrote
it, and a forked child that never returns to Python (RQ's) needs no thread of its own. Records are handed to the kernel,
not forced onto the disk: they survive the process, not a power cut.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from ulid import ULID

from infra.aws import native

log = structlog.get_logger(__name__)

FILE_BYTES = 128 * 1024


@dataclass
class Taken:
    """A file that nobody else has. `done` counts the parts of it that were handed on; it survives in the name."""

    path: Path
    lines: list[bytes]
    done: int

    def advance(self) -> None:
        """One more part was handed on."""
        self.done += 1
        self.path = self.path.rename(self.path.with_name(f"{self.path.name.partition('-')[0]}-{self.done}"))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


class Spool:
    """`folder` holds at most about `max_bytes`; beyond that the oldest file goes, with a warning that counts."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = native.lock()
        self._descriptor: int | None = None
        self._written = 0
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._lock = native.lock()
        if self._descriptor is not None:
            os.close(self._descriptor)  # Our copy: the parent keeps its file, and its lock.
            self._descriptor = None

    def append(self, record: bytes) -> None:
        """Keep one line. Raises `OSError`."""
        with self._lock:
            if self._descriptor is None or self._written >= FILE_BYTES:
                self._release()
                self._descriptor = self._begin()
                self._written = 0
            self._written += os.write(self._descriptor, record + b"\n")

    def release(self) -> None:
        """Let what this process wrote be taken."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _begin(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room()
        while True:
            path = self._folder / f"{str(ULID()).lower()}-0"
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)  # Someone takes it, between our two calls, for an orphan.
                continue
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)

    def _make_room(self) -> None:
        files = self._files()
        sizes = {path: size for path in files if (size := _size(path)) is not None}
        total = sum(sizes.values())
        for path in files:
            if total + FILE_BYTES <= self._max_bytes:
                return
            with self._taken(path) as taken:
                if taken is None:
                    continue
                log.warning("metrics dropped, the spool is full", records=len(taken.lines), max_bytes=self._max_bytes)
                taken.remove()
                total -= sizes.get(path, 0)

    def take(self) -> Iterator[Taken]:
        """Each file without a holder, oldest first; it is ours until the iterator goes on."""
        for path in self._files():
            with self._taken(path) as taken:
                if taken is not None:
                    yield taken

    def remove(self, unwanted: Callable[[bytes], bool]) -> int:
        """Take out lines from every file without a holder; how many. The others of such a file are kept in a new one:
        where a part of it was handed on before, that part is handed on again."""
        self.release()
        removed = 0
        for taken in self.take():
            kept = [line for line in taken.lines if not unwanted(line)]
            if len(kept) == len(taken.lines):
                continue
            removed += len(taken.lines) - len(kept)
            for line in kept:
                self.append(line)
            taken.remove()
        self.release()
        return removed

    @contextlib.contextmanager
    def _taken(self, path: Path) -> Iterator[Taken | None]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            if not path.exists():  # Another one has handed on a part or all of it meanwhile.
                yield None
                return
            with open(descriptor, "rb", closefd=False) as file:
                lines = file.read().split(b"\n")
            # What follows the last line break was cut off by a sudden end, or is nothing.
            yield Taken(path, lines[:-1], int(path.name.partition("-")[2]))
        finally:
            os.close(descriptor)

    def _files(self) -> list[Path]:
        try:
            return sorted(Path(entry.path) for entry in os.scandir(self._folder) if entry.is_file())
        except FileNotFoundError:
            return []


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
