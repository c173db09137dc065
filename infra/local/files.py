"""Objects and arriving uploads as files in one folder tree.

A key is a relative path. Objects appear by linking a finished, fsynced temporary file, so a reader sees a whole object
or none, and a key that is taken is never overwritten. Arriving uploads are plain files that grow under `.intake`.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from infra import keys
from infra.errors import BlobExists, BlobMissing, StorageFull
from infra.local.bounded import BoundedReader
from infra.ports import BlobInfo

_COPY_CHUNK = 1024 * 1024
_SCRATCH_SECONDS = 24 * 3600
_WRITE_BACK = 8 * 1024 * 1024


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Turn the operating system's 'no space' into the port's error."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(error.errno, "no room left in the blob store") from error
        raise


def sync_folder(folder: Path) -> None:
    """Make a rename or link in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileWriter:
    """Implements `infra.ports.IntakeWriter`."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self.offset = self._written_back = offset

    def write(self, data: memoryview) -> None:
        with _room():
            while data:
                written = os.pwrite(self._descriptor, data, self.offset)
                self.offset += written
                data = data[written:]
        self._write_back()

    def _write_back(self) -> None:
        """Have the disk begin before `commit`, so that it works while bytes arrive and little is left at the end.

        POSIX_FADV_DONTNEED starts writing dirty pages and returns; it drops clean ones only, which these are not yet.
        """
        new = self.offset - self._written_back
        if new >= _WRITE_BACK and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, self._written_back, new, os.POSIX_FADV_DONTNEED)
            self._written_back = self.offset

    def commit(self) -> int:
        written = self.offset  # Read first: another thread may be writing on.
        with _room():
            os.fdatasync(self._descriptor)
        return written

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class FileBlobs:
    """Implements `infra.ports.BlobStore` and `infra.ports.Intake`."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._intake = root / "intake"
        self._scratch = root / "scratch"
        for folder in (self._objects, self._intake, self._scratch):
            folder.mkdir(parents=True, exist_ok=True)
        self._clear_scratch()

    def _clear_scratch(self) -> None:
        """Remove what writers left that were killed while they wrote; no write takes a day."""
        for left in self._scratch.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - _SCRATCH_SECONDS:
                    left.unlink()

    # -- objects --

    def put(self, key: str, source: Path | bytes | BinaryIO, *, content_type: str) -> BlobInfo:
        target = self._path(self._objects, key)
        if target.exists():
            raise BlobExists(key)
        temporary = self._scratch / secrets.token_hex(16)
        try:
            with _room(), temporary.open("xb") as file:
                if isinstance(source, bytes):
                    file.write(source)
                elif isinstance(source, Path):
                    with source.open("rb") as stream:
                        shutil.copyfileobj(stream, file, _COPY_CHUNK)
                else:
                    shutil.copyfileobj(source, file, _COPY_CHUNK)
                file.flush()
                os.fsync(file.fileno())
            return self._publish(temporary, target, key)
        finally:
            temporary.unlink(missing_ok=True)

    def stat(self, key: str) -> BlobInfo:
        path = self._path(self._objects, key)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise BlobMissing(key) from None
        return _info(key, status)

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        try:
            file = self._path(self._objects, key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise BlobMissing(key) from None
        return file if start == 0 and length is None else BoundedReader(file, start, length)

    def fetch(self, key: str, into: Path) -> Path:
        source = self._path(self._objects, key)
        try:
            os.link(source, into)
        except FileNotFoundError:
            raise BlobMissing(key) from None
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                raise
            shutil.copyfile(source, into)
        return into

    def copy(self, source: str, target: str) -> BlobInfo:
        path = self._path(self._objects, target)
        try:
            return self._publish(self._path(self._objects, source), path, target)
        except FileNotFoundError:
            raise BlobMissing(source) from None

    def delete(self, key: str) -> None:
        path = self._path(self._objects, key)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        self._prune(path.parent, self._objects)

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        for key, path in _walk(self._objects, prefix):
            with contextlib.suppress(FileNotFoundError):
                yield _info(key, path.stat())

    def delete_prefix(self, prefix: str) -> int:
        found = [key for key, _ in _walk(self._objects, keys.checked_folder(prefix))]
        for key in found:
            self.delete(key)
        return len(found)

    # -- arriving uploads --

    def writer(self, key: str, offset: int) -> FileWriter:
        path = self._path(self._intake, key)
        flags = os.O_RDWR | os.O_CLOEXEC
        if offset == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags |= os.O_CREAT
        try:
            with _room():
                descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            raise BlobMissing(key) from None
        size = os.fstat(descriptor).st_size
        if size < offset:
            os.close(descriptor)
            raise BlobMissing(f"{key}: {offset} bytes were acknowledged, {size} are stored")
        if size > offset:
            os.ftruncate(descriptor, offset)
        return FileWriter(descriptor, offset)

    def size(self, key: str) -> int:
        try:
            return self._path(self._intake, key).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, key: str, length: int) -> BinaryIO:
        try:
            return BoundedReader(self._path(self._intake, key).open("rb"), 0, length)
        except FileNotFoundError:
            raise BlobMissing(key) from None

    def join(self, parts: Sequence[tuple[str, int]], key: str) -> int:
        total = 0
        path = self._path(self._intake, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _room(), path.open("wb") as whole:
            for part, length in parts:
                with self.read(part, length) as stream:
                    shutil.copyfileobj(stream, whole, _COPY_CHUNK)
                total += length
            whole.flush()
            os.fsync(whole.fileno())
        return total

    def seal(self, key: str, length: int, target: str, *, content_type: str) -> BlobInfo:
        source, path = self._path(self._intake, key), self._path(self._objects, target)
        if path.exists() and path.stat().st_size == length:
            return self.stat(target)
        try:
            descriptor = os.open(source, os.O_RDWR)
        except FileNotFoundError:
            raise BlobMissing(key) from None
        try:
            if os.fstat(descriptor).st_size > length:
                os.ftruncate(descriptor, length)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return self._publish(source, path, target)

    def discard(self, key: str) -> None:
        path = self._path(self._intake, key)
        path.unlink(missing_ok=True)
        self._prune(path.parent, self._intake)

    def leftovers(self, prefix: str) -> Iterator[str]:
        for key, _ in _walk(self._intake, prefix):
            yield key

    # -- shared --

    def _publish(self, source: Path, target: Path, key: str) -> BlobInfo:
        """Give a finished file its final name if that is free."""
        with _room():
            for _ in range(3):
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(source, target)
                    break
                except FileExistsError:
                    raise BlobExists(key) from None
                except FileNotFoundError:
                    # A delete next door may have pruned the folder between mkdir and link; a missing source is real.
                    if not source.exists():
                        raise
        sync_folder(target.parent)
        return _info(key, target.stat())

    def _path(self, root: Path, key: str) -> Path:
        return root / keys.checked(key)

    def _prune(self, folder: Path, root: Path) -> None:
        while folder != root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _walk(root: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Files under `root` whose key starts with `prefix`, in key order."""
    yield from _walk_folder(root / prefix.rpartition("/")[0], root, prefix)


def _walk_folder(folder: Path, root: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    try:
        # A folder sorts as its name with the slash, as its keys do.
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name + "/" * entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = Path(entry.path)
        key = path.relative_to(root).as_posix()
        if entry.is_dir():
            if f"{key}/".startswith(prefix) or prefix.startswith(f"{key}/"):
                yield from _walk_folder(path, root, prefix)
        elif key.startswith(prefix):
            yield key, path


def _info(key: str, status: os.stat_result) -> BlobInfo:
    validator = hashlib.sha256(f"{key}:{status.st_size}:{status.st_mtime_ns}".encode()).hexdigest()[:24]
    return BlobInfo(
        key=key, size=status.st_size, etag=validator, modified=datetime.fromtimestamp(status.st_mtime, tz=UTC)
    )
