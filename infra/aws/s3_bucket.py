"""One bucket: the S3 operations that both ports are made of, each safe to repeat.

A conditional write whose answer was lost is refused when it is sent again, by what it wrote itself. So every object
carries a token of its write, and a refusal is held against it.
"""

import base64
import re
import secrets
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC
from typing import Any

from botocore.exceptions import ClientError

from infra.aws.client import Clients, mapped
from infra.errors import BlobExists, BlobMissing, StorageFull, Unavailable
from infra.ports import BlobInfo

WRITE = "vitrine-write"
_TRIES = 5
# A completion may take minutes: S3 sends spaces meanwhile, which count as an answer for `read_timeout`.
_CONFIG: dict[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": 6},
    "read_timeout": 60,
    # Checksums of what is sent are ours (`checksum`); those of what is read are asked for where they can be checked.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
    # TLS and the checksum protect the body. The SDK would sign its SHA-256 too, as it does not know our checksums.
    "s3": {"payload_signing_enabled": False},
}


def checksum(data: bytes | bytearray | memoryview) -> dict[str, str]:
    """The parameters that make S3 refuse `data` if it arrives otherwise, and keep its CRC-32 with the object.

    Worked out here and sent as a header: the SDK would send it as a trailer and copy the body in small chunks for it.
    """
    crc = zlib.crc32(data)
    return {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": base64.b64encode(crc.to_bytes(4, "big")).decode()}


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class Bucket:
    """`classes` are (pattern, storage class) in order of precedence; a key that matches none is STANDARD."""

    def __init__(self, clients: Clients, name: str, classes: Sequence[tuple[str, str]] = ()) -> None:
        self._clients = clients
        self.name = name
        self._classes = [(re.compile(pattern), storage_class) for pattern, storage_class in classes]

    @property
    def client(self) -> Any:
        return self._clients.get("s3", **_CONFIG)

    def answers(self, key: str, **others: Exception) -> AbstractContextManager[None]:
        """S3's refusals as the ports' errors; a 405 is how it says that a reduced-redundancy object was lost."""
        missing = BlobMissing(key)
        full = StorageFull("the bucket's quota is used up")  # Never from S3 itself, but from servers that speak it.
        damaged = Unavailable(f"{key} arrived at S3 damaged")  # Refused by its checksum: sent again it may be whole.
        codes: dict[str, Exception] = dict.fromkeys(("NoSuchKey", "404", "MethodNotAllowed", "405"), missing)
        codes |= dict.fromkeys(("QuotaExceeded", "InsufficientStorage"), full)
        codes |= dict.fromkeys(("BadDigest", "XAmzContentSHA256Mismatch"), damaged)
        return mapped({**codes, **others})

    def about(self, key: str, content_type: str, token: str) -> dict[str, Any]:
        """What PutObject and CreateMultipartUpload are told alike."""
        return {
            "Bucket": self.name,
            "Key": key,
            "ContentType": content_type,
            "Metadata": {WRITE: token},
            "StorageClass": self.storage_class(key),
        }

    def storage_class(self, key: str) -> str:
        return next((name for pattern, name in self._classes if pattern.match(key)), "STANDARD")

    def head(self, key: str) -> dict[str, Any]:
        """HeadObject. Raises `BlobMissing`."""
        with self.answers(key):
            answer: dict[str, Any] = self.client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        return answer

    def info(self, key: str) -> BlobInfo:
        """Raises `BlobMissing`."""
        answer = self.head(key)
        return _info(key, answer, answer["ContentLength"])

    def has(self, key: str, token: str) -> bool:
        """Whether the object is the one that was written with this token."""
        try:
            return bool(self.head(key).get("Metadata", {}).get(WRITE) == token)
        except BlobMissing:
            return False

    def put(self, key: str, data: bytes | bytearray, *, content_type: str, if_absent: bool) -> None:
        """PutObject, with If-None-Match. Raises `BlobExists`."""
        token = secrets.token_hex(8)
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        about = {**self.about(key, content_type, token), **checksum(data), **condition}
        for attempt in range(_TRIES):
            try:
                with self.answers(key):
                    self.client.put_object(Body=data, **about)
                return
            except ClientError as error:
                if code_of(error) == "PreconditionFailed":
                    if self.has(key, token):
                        return
                    raise BlobExists(key) from error
                if code_of(error) != "ConditionalRequestConflict":
                    raise
            # Another write or deletion of the key is under way: S3 asks to try again.
            time.sleep(0.05 * 2**attempt)
        raise Unavailable(f"{key} is being written by others")

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """ListObjectsV2, in key order."""
        with self.answers(prefix):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield _info(found["Key"], found, found["Size"])

    def erase(self, prefix: str, *, exact: bool = False) -> int:
        """Remove every version and delete marker below the prefix, and unfinished uploads; how many objects there were.

        ListObjectVersions, DeleteObjects by a thousand, ListMultipartUploads. `exact` means the key `prefix` alone.
        """
        objects, last = 0, ""
        self.abort(prefix, exact=exact)
        while True:
            with self.answers(prefix):
                page = self.client.list_object_versions(Bucket=self.name, Prefix=prefix)
            stored, markers = (
                [each for each in page.get(kind, []) if not exact or each["Key"] == prefix]
                for kind in ("Versions", "DeleteMarkers")
            )
            found = [*stored, *markers]
            if not found:
                return objects
            # A key's versions may be on two pages; once the newest is gone, the next is "latest".
            objects += len([each for each in stored if each["IsLatest"] and each["Key"] != last])
            last = max(each["Key"] for each in found)
            self.remove([{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found])
            if not page["IsTruncated"]:
                return objects

    def remove(self, versions: Sequence[Mapping[str, str]]) -> None:
        """DeleteObjects of up to a thousand; what S3 reports as not removed is sent again."""
        left = list(versions)
        for attempt in range(_TRIES):
            with self.answers(left[0]["Key"]):
                answer = self.client.delete_objects(Bucket=self.name, Delete={"Objects": left, "Quiet": True})
            failed = {(error["Key"], error.get("VersionId")) for error in answer.get("Errors", [])}
            left = [version for version in left if (version["Key"], version.get("VersionId")) in failed]
            if not left:
                return
            time.sleep(0.05 * 2**attempt)
        raise Unavailable(f"{len(left)} objects could not be removed: {answer['Errors'][0].get('Message', '')}")

    def abort(self, prefix: str, *, exact: bool = False) -> None:
        """AbortMultipartUpload for every unfinished one below the prefix."""
        with self.answers(prefix):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix)
            uploads = [each for page in pages for each in page.get("Uploads", [])]
        for upload in uploads:
            if not exact or upload["Key"] == prefix:
                self.abort_one(upload["Key"], upload["UploadId"])

    def abort_one(self, key: str, upload_id: str) -> None:
        try:
            with self.answers(key):
                self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise


def _info(key: str, answer: Mapping[str, Any], size: int) -> BlobInfo:
    # HeadObject knows whole seconds only; a listing must not contradict it.
    modified = answer["LastModified"].astimezone(UTC).replace(microsecond=0)
    return BlobInfo(key=key, size=size, etag=answer["ETag"].strip('"'), modified=modified)
