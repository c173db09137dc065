"""Arriving uploads in S3.

S3 can neither append to an object nor cut one, and the parts of an unfinished multipart upload cannot be read. So what
arrives is a log of small objects, and the multipart upload comes at the end, made of them by S3 itself (`seal`):

    arriving/<key>/<epoch>.<offset>.<nonce>/open                 a writer began, at this offset
    arriving/<key>/<epoch>.<offset>.<nonce>/<from>-<to>          bytes that it made durable

Each writer has an epoch of its own, higher than those it found, and announces it before it writes. Its offset cuts all
earlier epochs: what they have past it does not count, even if a dead writer's last request arrives only now.
"""

import contextlib
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import BinaryIO

from infra import keys
from infra.aws import native
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_multipart import assemble
from infra.aws.s3_pieces import MIB, Piece, clip, skip
from infra.aws.s3_stream import PieceStream
from infra.errors import BlobExists, BlobMissing, Unavailable
from infra.ports import BlobInfo

ROOT = "arriving/"
BYTES = "application/octet-stream"
# Enough to be a part (`s3_pieces.LEAST`), and twice that stays below 16 MiB: what a writer holds while it stores.
WINDOW = 7 * MIB

_NAME = re.compile(r"(?P<epoch>\d{6})\.(?P<offset>\d{15})\.[0-9a-f]{8}/(open|(?P<start>\d{15})-(?P<end>\d{15}))")


@dataclass
class Epoch:
    """What one writer left. `spans` are (start, end, object) in bytes of the upload."""

    number: int
    offset: int
    spans: list[tuple[int, int, str]] = field(default_factory=list)


def epochs_of(names: Iterable[str], folder: str) -> list[Epoch]:
    """Sorted object names below `folder` as epochs, in order."""
    epochs: list[Epoch] = []
    before = ""
    for name in names:
        found = _NAME.fullmatch(name.removeprefix(folder))
        if found is None:
            raise ValueError(f"not part of an upload: {name}")
        epoch = name.rpartition("/")[0]
        if epoch != before:
            epochs.append(Epoch(int(found["epoch"]), int(found["offset"])))
            before = epoch
        if found["start"]:
            epochs[-1].spans.append((int(found["start"]), int(found["end"]), name))
    return epochs


def resolve(epochs: Sequence[Epoch]) -> list[Piece]:
    """The upload's bytes from its start, as far as they are there without a hole."""
    spans: list[tuple[int, int, str]] = []
    limit: float = float("inf")
    for epoch in reversed(epochs):
        spans += [(start, int(min(end, limit)), name) for start, end, name in epoch.spans if start < limit]
        limit = min(limit, epoch.offset)
    spans.sort()
    pieces: list[Piece] = []
    position, best, reach = 0, None, 0
    for start, end, name in [*spans, (int(1e15), int(1e15), "")]:
        if start > position and best is not None:
            pieces.append(Piece(best[2], position - best[0], reach - position))
            position, best = reach, None
        if start > position:
            break
        if end > max(reach, position):
            best, reach = (start, end, name), end
    return pieces


class S3Writer:
    """Implements `infra.ports.IntakeWriter`.

    Full windows, aligned to multiples of `WINDOW` in the upload, become objects that `seal` can have copied. Between
    them a commit stores what is new as a small object, which the window replaces.
    """

    def __init__(self, bucket: Bucket, folder: str, offset: int, head: list[Piece]) -> None:
        """`head` is what is stored of the window that `offset` is in."""
        self._bucket, self._folder, self._head = bucket, folder, head
        self._window = offset - offset % WINDOW
        self._position = self._durable = offset
        self._buffer = bytearray()
        self._small: list[str] = []
        self._storing = native.lock()  # One request at a time, by whichever thread.

    def write(self, data: memoryview) -> None:
        self._buffer = self._buffer or bytearray(WINDOW)
        while data:
            start = self._position - self._window
            if start == WINDOW:
                self._store_window()
                continue
            taken = data[: WINDOW - start]
            memoryview(self._buffer)[start : start + len(taken)] = taken
            self._position += len(taken)
            data = data[len(taken) :]
            if self._position == self._window + WINDOW:
                self._store_window()

    def _store_window(self) -> None:
        """PutObject of a full window; if it fails, the next write or commit tries again."""
        with self._storing:
            self._load_head()
            self._store(self._window, self._buffer)
            self._durable = self._window = self._position
            small, self._small = self._small, []
            if small:
                with contextlib.suppress(Unavailable):  # They are no longer read, and go with the upload.
                    self._bucket.remove([{"Key": name} for name in small])

    def _load_head(self) -> None:
        """Read back what earlier writers stored of this window."""
        at = 0
        with PieceStream(self._bucket, self._head) as stream:
            while chunk := stream.read(MIB):
                self._buffer[at : at + len(chunk)] = chunk
                at += len(chunk)
        self._head = []

    def commit(self) -> int:
        """PutObject of what no object has yet."""
        written = self._position  # Read first: another thread may be writing on.
        with self._storing:
            if written > self._durable:
                view = memoryview(self._buffer)[self._durable - self._window : written - self._window]
                self._small.append(self._store(self._durable, bytes(view)))
                self._durable = written
        return written

    def _store(self, start: int, data: bytes | bytearray) -> str:
        name = f"{self._folder}{start:015d}-{start + len(data):015d}"
        self._bucket.put(name, data, content_type=BYTES, if_absent=False)
        return name

    def close(self) -> None:
        self._buffer = bytearray()


class S3Intake:
    """Implements `infra.ports.Intake`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def writer(self, key: str, offset: int) -> S3Writer:
        """ListObjectsV2, and PutObject of the epoch's announcement."""
        epochs = self._epochs(key)
        stored = list(clip(resolve(epochs), offset))
        if sum(piece.length for piece in stored) < offset:
            raise BlobMissing(f"{key}: fewer than {offset} bytes are stored")
        folder = self._begin(key, epochs, offset)
        return S3Writer(self._bucket, folder, offset, list(skip(stored, offset - offset % WINDOW)))

    def size(self, key: str) -> int:
        """ListObjectsV2."""
        return sum(piece.length for piece in resolve(self._epochs(key)))

    def read(self, key: str, length: int) -> BinaryIO:
        """ListObjectsV2, then GetObject for one object after the other."""
        return PieceStream(self._bucket, self._pieces(key, length))

    def join(self, parts: Sequence[tuple[str, int]], key: str) -> int:
        """UploadPartCopy: one object of all the parts' objects."""
        pieces = [piece for part, length in parts for piece in self._pieces(part, length)]
        total = sum(piece.length for piece in pieces)
        folder = self._begin(key, self._epochs(key), 0)
        if total:
            name = f"{folder}{0:015d}-{total:015d}"
            assemble(self._bucket, pieces, name, content_type=BYTES, if_absent=False)
        return total

    def seal(self, key: str, length: int, target: str, *, content_type: str) -> BlobInfo:
        """UploadPartCopy and CompleteMultipartUpload with If-None-Match; only what is no full window is read."""
        keys.checked(target)
        try:
            sealed = self._bucket.info(target)
        except BlobMissing:
            pieces = self._pieces(key, length)
        else:
            if sealed.size != length:
                raise BlobExists(target)
            return sealed
        try:
            assemble(self._bucket, pieces, target, content_type=content_type, if_absent=True)
        except BlobExists:
            # Someone else finished the same upload meanwhile.
            if self._bucket.info(target).size != length:
                raise
        return self._bucket.info(target)

    def discard(self, key: str) -> None:
        """ListObjectVersions and DeleteObjects; a `join` that was cut short is aborted as well."""
        self._bucket.erase(self._folder(key))

    def leftovers(self, prefix: str) -> Iterator[str]:
        """ListObjectsV2."""
        names = (info.key for info in self._bucket.list(ROOT + prefix))
        for upload, _ in groupby(names, key=lambda name: name.rsplit("/", 2)[0]):
            yield upload.removeprefix(ROOT)

    def _folder(self, key: str) -> str:
        return f"{ROOT}{keys.checked(key)}/"

    def _epochs(self, key: str) -> list[Epoch]:
        folder = self._folder(key)
        return epochs_of((info.key for info in self._bucket.list(folder)), folder)

    def _pieces(self, key: str, length: int) -> list[Piece]:
        """The first `length` bytes. Raises `BlobMissing` if they are not all there."""
        epochs = self._epochs(key)
        pieces = list(clip(resolve(epochs), length))
        if not epochs or sum(piece.length for piece in pieces) < length:
            raise BlobMissing(f"{key}: fewer than {length} bytes are stored")
        return pieces

    def _begin(self, key: str, epochs: Sequence[Epoch], offset: int) -> str:
        """Announce an epoch; its folder."""
        number = max((epoch.number for epoch in epochs), default=0) + 1
        folder = f"{self._folder(key)}{number:06d}.{offset:015d}.{secrets.token_hex(4)}/"
        self._bucket.put(f"{folder}open", b"", content_type=BYTES, if_absent=False)
        return folder
