"""Arriving uploads as plain files that grow."""

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from infra.errors import BlobMissing
from infra.local.bounded import BoundedReader
from infra.local.tree import Tree, info, room
from infra.ports import BlobInfo

COPY_CHUNK = 1024 * 1024
_WRITE_BACK = 8 * 1024 * 1024


class FileWriter:
    """Implements `infra.ports.IntakeWriter`."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self.offset = self._written_back = offset

    def write(self, data: memoryview) -> None:
        with room():
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
        with room():
            os.fdatasync(self._descriptor)
        return written

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class FileIntake:
    """Implements `infra.ports.Intake`; sealed uploads become files in `objects`."""

    def __init__(self, arriving: Tree, objects: Tree) -> None:
        self._arriving = arriving
        self._objects = objects

    def writer(self, key: str, offset: int) -> FileWriter:
        path = self._arriving.path(key)
        flags = os.O_RDWR | os.O_CLOEXEC
        if offset == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags |= os.O_CREAT
        try:
            with room():
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
            return self._arriving.path(key).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, key: str, length: int) -> BinaryIO:
        try:
            return BoundedReader(self._arriving.path(key).open("rb"), 0, length)
        except FileNotFoundError:
            raise BlobMissing(key) from None

    def join(self, parts: Sequence[tuple[str, int]], key: str) -> int:
        total = 0
        path = self._arriving.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with room(), path.open("wb") as whole:
            for part, length in parts:
                with self.read(part, length) as stream:
                    shutil.copyfileobj(stream, whole, COPY_CHUNK)
                total += length
            whole.flush()
            os.fsync(whole.fileno())
        return total

    def seal(self, key: str, length: int, target: str, *, content_type: str) -> BlobInfo:
        source, path = self._arriving.path(key), self._objects.path(target)
        if path.exists() and (status := path.stat()).st_size == length:
            return info(target, status)
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
        return self._objects.publish(source, target)

    def discard(self, key: str) -> None:
        self._arriving.remove(key)

    def leftovers(self, prefix: str) -> Iterator[str]:
        for key, _ in self._arriving.walk(prefix):
            yield key
