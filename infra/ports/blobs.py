"""Ports of stored bytes: finished objects, what was lost of them, and uploads that are still arriving."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class BlobInfo:
    """`etag` is an opaque validator that changes with the content; `size` is bytes."""

    key: str
    size: int
    etag: str
    modified: datetime


class BlobStore(Protocol):
    """Immutable objects under slash-separated keys. All methods may be called from any process at any time."""

    def put(self, key: str, source: Path | bytes | BinaryIO, *, content_type: str) -> BlobInfo:
        """Store `source` if `key` is free, durably on return (a crash leaves the whole object or nothing).

        Raises `BlobExists` if the key is taken (the stored object is untouched), `StorageFull` if there is no room.
        """

    def stat(self, key: str) -> BlobInfo:
        """Raises `BlobMissing`."""

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """A readable stream over `length` bytes from `start` (to the end by default). Raises `BlobMissing`.

        Where the object is a local file and the whole of it is asked for, the stream has a real `fileno()`.
        """

    def fetch(self, key: str, into: Path) -> Path:
        """Make the object readable as the local file `into` (a link where that is possible: never write to it)."""

    def copy(self, source: str, target: str) -> BlobInfo:
        """Write-if-absent copy within the store. Raises `BlobMissing`, `BlobExists`, `StorageFull`."""

    def delete(self, key: str) -> None:
        """Remove the object; no error if there is none."""

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """Objects whose key starts with `prefix`, in key order."""

    def delete_prefix(self, prefix: str) -> int:
        """Remove every object under `prefix` (which ends in a slash); the number removed."""


@dataclass(frozen=True)
class Loss:
    """A report that objects are gone. `receipt` is for `settle`; a report that makes no sense has no keys."""

    receipt: str
    keys: tuple[str, ...]


class Losses(Protocol):
    """Reports of objects that the blob store has lost, each at least once and none in time."""

    def receive(self, wait: timedelta = timedelta()) -> list[Loss]:
        """Up to ten, after waiting up to `wait` for the first. What is not settled comes again within minutes."""

    def settle(self, *receipts: str) -> None:
        """These have been dealt with."""


class IntakeWriter(Protocol):
    """Appends to one upload. One writer at a time: the caller holds the upload's lease."""

    def write(self, data: memoryview) -> None:
        """Append; nothing is promised before `commit`. Raises `StorageFull`, leaving committed bytes intact."""

    def commit(self) -> int:
        """Make what was written before this call durable; how many bytes that is, from the upload's start.

        Another thread may go on writing meanwhile: a slow disk then delays nobody but itself.
        """

    def close(self) -> None:
        """Release resources; bytes written since the last `commit` may be lost."""


class Intake(Protocol):
    """Bytes of uploads that are still arriving, kept apart from finished objects."""

    def writer(self, key: str, offset: int) -> IntakeWriter:
        """A writer that continues at `offset`; anything stored past it is dropped. Creates the upload at offset 0.

        Raises `BlobMissing` if fewer than `offset` bytes are stored.
        """

    def size(self, key: str) -> int:
        """Bytes stored so far; 0 for an unknown key."""

    def read(self, key: str, length: int) -> BinaryIO:
        """The first `length` bytes as a stream, for hashing and sniffing. Raises `BlobMissing`."""

    def join(self, parts: Sequence[tuple[str, int]], key: str) -> int:
        """Make `key` the concatenation of `(part key, length)`s; the total length. Parts stay."""

    def seal(self, key: str, length: int, target: str, *, content_type: str) -> BlobInfo:
        """Turn the first `length` bytes into the object `target`, durably, without reading them where possible.

        Idempotent: if `target` exists already with that length it is returned. Raises `BlobMissing` if neither is
        there.
        """

    def discard(self, key: str) -> None:
        """Forget the upload; no error if there is none."""

    def leftovers(self, prefix: str) -> Iterator[str]:
        """Keys of uploads under `prefix` that still hold bytes, for the sweep."""
