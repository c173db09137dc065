"""Objects read as streams that survive a broken connection."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

from infra.aws.s3_bucket import Bucket, code_of
from infra.aws.s3_pieces import Piece
from infra.errors import BlobMissing, Unavailable

_RESUMES = 5


class ObjectStream(io.BufferedIOBase, BinaryIO):
    """`length` bytes of an object from `start`. GetObject; goes on by Range and If-Match where a connection broke.

    Read as a whole in one go, the bytes are held against the checksum that S3 keeps; `Unavailable` if they differ.
    Raises `BlobMissing`, at the start or when the object is removed meanwhile.
    """

    def __init__(self, bucket: Bucket, key: str, start: int = 0, length: int | None = None) -> None:
        self._bucket, self._key = bucket, key
        self._position = start
        self._end = None if length is None else start + length
        self._etag = ""
        self._body: Any = None
        self._open()

    def _open(self) -> None:
        if self._end is not None and self._end <= self._position:
            self._bucket.head(self._key)
            return
        last = "" if self._end is None else self._end - 1
        asked: dict[str, str] = {"Range": f"bytes={self._position}-{last}"}
        if self._position == 0 and self._end is None:
            asked = {"ChecksumMode": "ENABLED"}
        if self._etag:
            asked["IfMatch"] = self._etag
        try:
            with self._bucket.answers(self._key, PreconditionFailed=BlobMissing(self._key)):
                answer = self._bucket.client.get_object(Bucket=self._bucket.name, Key=self._key, **asked)
        except ClientError as error:
            if code_of(error) != "InvalidRange":
                raise
            self._end = self._position  # It starts past the object's end: nothing, as with a file.
            return
        self._body = answer["Body"]
        self._etag = answer["ETag"]
        self._end = self._position + answer["ContentLength"]

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1024 * 1024), b""))
        assert self._end is not None
        wanted = min(size, self._end - self._position)
        data = self._next(wanted) if wanted > 0 else b""
        self._position += len(data)
        return data

    def _next(self, wanted: int) -> bytes:
        for _ in range(_RESUMES):
            try:
                if data := self._body.read(wanted):
                    if self._position + len(data) == self._end:
                        self._body.read(1)  # The SDK compares checksums when it is asked for more than there is.
                    return bytes(data)
            except FlexibleChecksumError as error:
                raise Unavailable(f"{self._key} arrived damaged: {error}") from error
            except (BotoCoreError, OSError):
                pass
            self._body.close()
            self._open()
            if self._end == self._position:
                break
        raise Unavailable(f"{self._key} could not be read from {self._position}")

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
        super().close()


class PieceStream(io.BufferedIOBase, BinaryIO):
    """Pieces of objects one after the other, as one stream."""

    def __init__(self, bucket: Bucket, pieces: Sequence[Piece]) -> None:
        self._bucket = bucket
        self._pieces: Iterator[Piece] = iter(pieces)
        self._current: ObjectStream | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1024 * 1024), b""))
        while size:
            if self._current is None:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._current = ObjectStream(self._bucket, piece.key, piece.start, piece.length)
            if data := self._current.read(size):
                return data
            self._current.close()
            self._current = None
        return b""

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
        super().close()
