"""Large objects: multipart uploads fed from memory or from objects that S3 has already."""

import contextlib
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from botocore.exceptions import ClientError

from infra.aws.s3_bucket import Bucket, checksum, code_of
from infra.aws.s3_pieces import Piece, plan
from infra.aws.s3_stream import PieceStream
from infra.errors import BlobExists, BlobMissing, Unavailable

_SIDE_BY_SIDE = 8  # Copies that S3 makes at a time for one object.
_TRIES = 3


class Conflict(Unavailable):
    """Another write of the same key came between: the upload is void and may be begun again."""


class Multipart:
    """One multipart upload, as a context: left without `complete`, it is aborted.

    The object's checksum covers it as a whole (ChecksumType FULL_OBJECT): S3 works it out from the parts'.
    """

    def __init__(self, bucket: Bucket, key: str, *, content_type: str, if_absent: bool) -> None:
        self._bucket, self._key, self._if_absent = bucket, key, if_absent
        self._token = secrets.token_hex(8)
        self._parts: dict[int, dict[str, Any]] = {}
        self._sizes: dict[int, int] = {}
        self._done = False
        with bucket.answers(key):
            answer = bucket.client.create_multipart_upload(
                ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT", **bucket.about(key, content_type, self._token)
            )
        self._made_again = bool(answer["ResponseMetadata"].get("RetryAttempts"))
        self._upload = {"Bucket": bucket.name, "Key": key, "UploadId": answer["UploadId"]}

    def __enter__(self) -> "Multipart":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            self._bucket.abort_one(self._key, self._upload["UploadId"])

    def upload(self, number: int, data: bytes | bytearray) -> None:
        """UploadPart."""
        proof = checksum(data)
        with self._bucket.answers(self._key):
            answer = self._bucket.client.upload_part(PartNumber=number, Body=data, **proof, **self._upload)
        self._add(number, len(data), {"ETag": answer["ETag"], "ChecksumCRC32": proof["ChecksumCRC32"]})

    def copy(self, number: int, piece: Piece) -> None:
        """UploadPartCopy. Raises `BlobMissing` if the source is not there."""
        with self._bucket.answers(piece.key):
            answer = self._bucket.client.upload_part_copy(
                PartNumber=number,
                CopySource={"Bucket": self._bucket.name, "Key": piece.key},
                CopySourceRange=f"bytes={piece.start}-{piece.start + piece.length - 1}",
                **self._upload,
            )
        result = answer["CopyPartResult"]
        self._add(number, piece.length, {name: result[name] for name in ("ETag", "ChecksumCRC32") if name in result})

    def _add(self, number: int, size: int, facts: dict[str, Any]) -> None:
        self._parts[number] = {"PartNumber": number, **facts}
        self._sizes[number] = size

    def complete(self) -> None:
        """CompleteMultipartUpload, with If-None-Match. Raises `BlobExists`, `Conflict`."""
        condition = {"IfNoneMatch": "*"} if self._if_absent else {}
        parts = {"Parts": [self._parts[number] for number in sorted(self._parts)]}
        try:
            with self._bucket.answers(self._key):
                self._bucket.client.complete_multipart_upload(
                    MultipartUpload=parts,
                    ChecksumType="FULL_OBJECT",
                    MpuObjectSize=sum(self._sizes.values()),
                    **condition,
                    **self._upload,
                )
        except ClientError as error:
            self._explain(error)
        self._done = True
        if self._made_again:
            # S3 may have begun the upload twice. The key is taken now: nobody else's can come to anything either.
            self._bucket.abort(self._key, exact=True)

    def _explain(self, error: ClientError) -> None:
        """Return if the refused completion had succeeded before; raise what it means otherwise."""
        code = code_of(error)
        if code not in ("PreconditionFailed", "NoSuchUpload", "ConditionalRequestConflict"):
            raise error
        if self._bucket.has(self._key, self._token):
            return
        if code == "PreconditionFailed":
            raise BlobExists(self._key) from error
        raise Conflict(f"{self._key}: {code}") from error


def assemble(bucket: Bucket, pieces: Sequence[Piece], key: str, *, content_type: str, if_absent: bool) -> None:
    """Make `key` the concatenation of the pieces, of which S3 copies all that are large enough to be a part.

    Raises `BlobExists`, and `BlobMissing` if a piece is not there.
    """
    parts = plan(pieces)
    for _ in range(_TRIES - 1):
        with contextlib.suppress(Conflict):
            _assemble(bucket, parts, key, content_type, if_absent)
            return
    _assemble(bucket, parts, key, content_type, if_absent)


def _assemble(bucket: Bucket, parts: list[list[Piece]], key: str, content_type: str, if_absent: bool) -> None:
    if not parts or (len(parts) == 1 and len(parts[0]) > 1):
        bucket.put(key, _read(bucket, parts[0] if parts else []), content_type=content_type, if_absent=if_absent)
        return
    with Multipart(bucket, key, content_type=content_type, if_absent=if_absent) as upload:
        threads = ThreadPoolExecutor(_SIDE_BY_SIDE)
        try:
            numbered = list(enumerate(parts, 1))
            copies = [threads.submit(upload.copy, number, part[0]) for number, part in numbered if len(part) == 1]
            # One at a time: a part that has to be read is held in memory.
            for number, part in numbered:
                if len(part) > 1:
                    upload.upload(number, _read(bucket, part))
            for copy in copies:
                copy.result()
        finally:
            threads.shutdown(cancel_futures=True)
        upload.complete()


def _read(bucket: Bucket, pieces: Sequence[Piece]) -> bytearray:
    data = bytearray()
    with PieceStream(bucket, pieces) as stream:
        while chunk := stream.read(1024 * 1024):
            data += chunk
    if len(data) != sum(piece.length for piece in pieces):
        raise BlobMissing(f"{pieces[0].key} and what follows are shorter than they were")
    return data
