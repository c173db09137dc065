"""Objects and arriving uploads as files in one folder tree.

A key is a relative path. Objects appear by linking a finished, fsynced temporary file, so a reader sees a whole object
or none, and a key that is taken is never overwritten.
"""

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from infra import keys
from infra.errors import BlobExists, BlobMissing
from infra.local.bounded import BoundedReader
from infra.local.intake import COPY_CHUNK, FileIntake
from infra.local.tree import Tree, info, room
from infra.ports import BlobInfo

_SCRATCH_SECONDS = 24 * 3600


class FileBlobs(FileIntake):
    """Implements `infra.ports.BlobStore`, and `infra.ports.Intake` by inheritance."""

    def __init__(self, root: Path) -> None:
        super().__init__(Tree(root / "intake"), Tree(root / "objects"))
        self._scratch = root / "scratch"
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._clear_scratch()

    def _clear_scratch(self) -> None:
        """Remove what writers left that were killed while they wrote; no write takes a day."""
        for left in self._scratch.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - _SCRATCH_SECONDS:
                    left.unlink()

    def put(self, key: str, source: Path | bytes | BinaryIO, *, content_type: str) -> BlobInfo:
        if self._objects.path(key).exists():
            raise BlobExists(key)
        temporary = self._scratch / secrets.token_hex(16)
        try:
            with room(), temporary.open("xb") as file:
                if isinstance(source, bytes):
                    file.write(source)
                elif isinstance(source, Path):
                    with source.open("rb") as stream:
                        shutil.copyfileobj(stream, file, COPY_CHUNK)
                else:
                    shutil.copyfileobj(source, file, COPY_CHUNK)
                file.flush()
                os.fsync(file.fileno())
            return self._objects.publish(temporary, key)
        finally:
            temporary.unlink(missing_ok=True)

    def stat(self, key: str) -> BlobInfo:
        path = self._objects.path(key)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise BlobMissing(key) from None
        return info(key, status)

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        try:
            file = self._objects.path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise BlobMissing(key) from None
        return file if start == 0 and length is None else BoundedReader(file, start, length)

    def fetch(self, key: str, into: Path) -> Path:
        source = self._objects.path(key)
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
        try:
            return self._objects.publish(self._objects.path(source), target)
        except FileNotFoundError:
            raise BlobMissing(source) from None

    def delete(self, key: str) -> None:
        self._objects.remove(key)

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        for key, path in self._objects.walk(prefix):
            with contextlib.suppress(FileNotFoundError):
                yield info(key, path.stat())

    def delete_prefix(self, prefix: str) -> int:
        found = [key for key, _ in self._objects.walk(keys.checked_folder(prefix))]
        for key in found:
            self.delete(key)
        return len(found)
