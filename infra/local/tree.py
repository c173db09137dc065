"""Files in a folder tree whose relative paths are keys."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from infra import keys
from infra.errors import BlobExists, StorageFull
from infra.ports import BlobInfo


@contextlib.contextmanager
def room() -> Iterator[None]:
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


class Tree:
    """One folder with everything below it. It is made if it is not there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        return self.root / keys.checked(key)

    def publish(self, source: Path, key: str) -> BlobInfo:
        """Give a finished file its final name if that is free. Raises `BlobExists`."""
        target = self.path(key)
        with room():
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
        return info(key, target.stat())

    def remove(self, key: str) -> None:
        """And the folders that are empty for it; no error if there is no such file."""
        path = self.path(key)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        folder = path.parent
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def walk(self, prefix: str) -> Iterator[tuple[str, Path]]:
        """Files whose key starts with `prefix`, in key order."""
        yield from _walk_folder(self.root / prefix.rpartition("/")[0], self.root, prefix)


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


def info(key: str, status: os.stat_result) -> BlobInfo:
    validator = hashlib.sha256(f"{key}:{status.st_size}:{status.st_mtime_ns}".encode()).hexdigest()[:24]
    return BlobInfo(
        key=key, size=status.st_size, etag=validator, modified=datetime.fromtimestamp(status.st_mtime, tz=UTC)
    )
