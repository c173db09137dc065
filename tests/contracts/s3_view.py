"""What S3 holds, and how an upload gets there: for tests of what only S3 has behind both ports."""

from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket

KEY = "t/01/in/u1"
TARGET = "t/01/o/a1/abc"


def append(store: S3Store, offset: int, *pieces: bytes, key: str = KEY) -> int:
    writer = store.writer(key, offset)
    for piece in pieces:
        writer.write(memoryview(piece))
        offset = writer.commit()
    writer.close()
    return offset


def held(bucket: Bucket) -> list[str]:
    """Every version, delete marker and unfinished upload in the bucket."""
    versions = bucket.client.list_object_versions(Bucket=bucket.name)
    uploads = bucket.client.list_multipart_uploads(Bucket=bucket.name)
    found = [*versions.get("Versions", []), *versions.get("DeleteMarkers", []), *uploads.get("Uploads", [])]
    return [each["Key"] for each in found]


class Sent:
    """Counts the S3 operations that a bucket is asked for, and the body bytes that come back or go out."""

    def __init__(self, bucket: Bucket) -> None:
        self.operations: list[str] = []
        self.uploaded = 0
        bucket.client.meta.events.register("before-call.s3", self._note)

    def _note(self, model: object, params: dict[str, object], **_: object) -> None:
        self.operations.append(model.name)  # type: ignore[attr-defined]
        if isinstance(params["body"], (bytes, bytearray)):
            self.uploaded += len(params["body"])


def storage_class(bucket: Bucket, key: str) -> str:
    return str(bucket.client.head_object(Bucket=bucket.name, Key=key).get("StorageClass", "STANDARD"))
