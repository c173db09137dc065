"""Finished objects in S3."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from infra import keys
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_multipart import Multipart, assemble
from infra.aws.s3_pieces import MIB, PARTS, Piece
from infra.aws.s3_stream import ObjectStream
from infra.errors import BlobExists, BlobMissing, StorageFull
from infra.ports import BlobInfo

PART = 7 * MIB  # Two of them are in memory while a stream is stored.
_CHUNK = MIB


class S3Blobs:
    """Implements `infra.ports.BlobStore`. An object's key in the bucket is its key here.

    Deleting removes every version: what a tenant deletes is gone. Versioning guards against hands, not against the app.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, key: str, source: Path | bytes | BinaryIO, *, content_type: str) -> BlobInfo:
        """PutObject, or a multipart upload for what is larger than a part; both with If-None-Match."""
        keys.checked(key)
        if isinstance(source, bytes):
            self._bucket.put(key, source, content_type=content_type, if_absent=True)
        elif isinstance(source, Path):
            with source.open("rb") as stream:
                self._put_stream(key, stream, max(PART, -(-source.stat().st_size // PARTS)), content_type)
        else:
            self._put_stream(key, source, PART, content_type)
        return self._bucket.info(key)

    def _put_stream(self, key: str, stream: BinaryIO, part: int, content_type: str) -> None:
        first, second = _read(stream, part), _read(stream, part)
        if not second:
            self._bucket.put(key, first, content_type=content_type, if_absent=True)
            return
        self._refuse_taken(key)  # The condition comes with the last request: gigabytes might be sent in vain.
        with Multipart(self._bucket, key, content_type=content_type, if_absent=True) as upload:
            upload.upload(1, first)
            del first
            number = 2
            while second:
                if number > PARTS:
                    raise StorageFull(errno.EFBIG, f"{key} has more than {PARTS} parts")
                upload.upload(number, second)
                number += 1
                second = _read(stream, part)
            upload.complete()

    def _refuse_taken(self, key: str) -> None:
        try:
            self._bucket.head(key)
        except BlobMissing:
            return
        raise BlobExists(key)

    def stat(self, key: str) -> BlobInfo:
        """HeadObject."""
        return self._bucket.info(keys.checked(key))

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """GetObject, with Range."""
        return ObjectStream(self._bucket, keys.checked(key), start, length)

    def fetch(self, key: str, into: Path) -> Path:
        """GetObject into a file, whole and with its checksum compared."""
        with ObjectStream(self._bucket, keys.checked(key)) as stream:
            made = into.with_name(f".{into.name}.arriving")
            try:
                with made.open("xb") as file:
                    while chunk := stream.read(_CHUNK):
                        file.write(chunk)
                made.rename(into)
            finally:
                made.unlink(missing_ok=True)
        return into

    def copy(self, source: str, target: str) -> BlobInfo:
        """HeadObject, then UploadPartCopy: CopyObject takes 5 GiB at most, and few servers know its If-None-Match."""
        keys.checked(target)
        self._refuse_taken(target)
        found = self._bucket.head(keys.checked(source))
        size = found["ContentLength"]
        whole = [Piece(source, 0, size)] if size else []
        assemble(self._bucket, whole, target, content_type=found["ContentType"], if_absent=True)
        return self._bucket.info(target)

    def delete(self, key: str) -> None:
        """ListObjectVersions and DeleteObjects."""
        self._bucket.erase(keys.checked(key), exact=True)

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """ListObjectsV2."""
        return self._bucket.list(prefix)

    def delete_prefix(self, prefix: str) -> int:
        """ListObjectVersions and DeleteObjects, a thousand at a time; unfinished uploads below the prefix as well."""
        return self._bucket.erase(keys.checked_folder(prefix))


def _read(stream: BinaryIO, size: int) -> bytearray:
    """`size` bytes, fewer only at the end."""
    data = bytearray()
    while len(data) < size and (chunk := stream.read(min(_CHUNK, size - len(data)))):
        data += chunk
    return data
