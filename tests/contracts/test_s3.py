"""What only S3 has behind its ports: classes, versions, parts, many writers' remains."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from behind import S3_CONDITIONAL
from contracts.race import winners
from contracts.s3_view import TARGET, held, storage_class

from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import WINDOW
from infra.aws.s3_pieces import LEAST, MIB
from infra.aws.s3_policy import bucket_rules
from infra.errors import BlobExists, BlobMissing


def test_the_class_goes_by_the_key_however_the_object_is_made(bucket: Bucket, s3: S3Store) -> None:
    large = os.urandom(LEAST + WINDOW)
    s3.put("t/01/o/a1/small", b"x", content_type="x/y")
    s3.put("t/01/r/a1/1/small.jpg", b"x", content_type="x/y")
    s3.put("t/01/r/a1/1/large.mp4", io.BytesIO(large), content_type="x/y")
    s3.copy("t/01/o/a1/small", "t/01/r/a1/1/copied.jpg")
    s3.copy("t/01/r/a1/1/large.mp4", TARGET)
    classes = {info.key: storage_class(bucket, info.key) for info in s3.list("t/")}
    assert classes == {
        "t/01/o/a1/abc": "STANDARD",
        "t/01/o/a1/small": "STANDARD",
        "t/01/r/a1/1/copied.jpg": "REDUCED_REDUNDANCY",
        "t/01/r/a1/1/large.mp4": "REDUCED_REDUNDANCY",
        "t/01/r/a1/1/small.jpg": "REDUCED_REDUNDANCY",
    }


def test_content_types_are_kept_and_copied(bucket: Bucket, s3: S3Store) -> None:
    s3.put("t/01/o/a1/small", b"x", content_type="image/jpeg")
    s3.copy("t/01/o/a1/small", TARGET)
    assert bucket.head(TARGET)["ContentType"] == "image/jpeg"


@pytest.mark.parametrize("kind", ["stream", "path"])
def test_a_large_object_is_sent_in_parts_and_still_written_once(
    bucket: Bucket, s3: S3Store, tmp_path: Path, kind: str
) -> None:
    data = os.urandom(2 * WINDOW + 12345)
    path = tmp_path / "source"
    path.write_bytes(data)
    assert s3.put(TARGET, path if kind == "path" else io.BytesIO(data), content_type="x/y").size == len(data)
    assert s3.fetch(TARGET, tmp_path / "copy").read_bytes() == data
    with pytest.raises(BlobExists):
        s3.put(TARGET, path, content_type="x/y")
    assert held(bucket) == [TARGET]


@pytest.mark.parametrize("bucket", S3_CONDITIONAL, indirect=True)
def test_of_large_writers_at_once_one_wins_and_no_parts_stay(bucket: Bucket, s3: S3Store) -> None:
    won = winners(3, lambda number: s3.put(TARGET, io.BytesIO(bytes([number]) * (WINDOW + 1)), content_type="x/y"))
    assert len(won) == 1
    with s3.open(TARGET) as stream:
        assert set(stream.read()) == set(won)
    assert held(bucket) == [TARGET]


def test_a_source_that_breaks_leaves_nothing(bucket: Bucket, s3: S3Store) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 2 * WINDOW:
                raise OSError("the disk is gone")
            return super().read(size)

    with pytest.raises(OSError, match="disk"):
        s3.put(TARGET, Breaking(os.urandom(3 * WINDOW)), content_type="x/y")
    assert held(bucket) == []


def test_deleting_removes_every_version_and_nothing_else(bucket: Bucket, s3: S3Store) -> None:
    s3.put(TARGET, b"one", content_type="x/y")
    s3.put(f"{TARGET}-2", b"neighbour", content_type="x/y")
    bucket.client.put_object(Bucket=bucket.name, Key=TARGET, Body=b"overwritten by hand")
    bucket.client.delete_object(Bucket=bucket.name, Key=TARGET)
    s3.delete(TARGET)
    assert held(bucket) == [f"{TARGET}-2"]
    s3.put(TARGET, b"again", content_type="x/y")


def test_a_tenant_goes_byte_for_byte(bucket: Bucket, s3: S3Store) -> None:
    """More objects than DeleteObjects takes, old versions, markers, an unfinished upload; the neighbour stays."""
    versioned = "Status" in bucket.client.get_bucket_versioning(Bucket=bucket.name)
    count = 10 if versioned else 1005
    with ThreadPoolExecutor(8) as threads:
        for done in [
            threads.submit(bucket.client.put_object, Bucket=bucket.name, Key=f"t/01/r/{number:04d}", Body=b"")
            for number in range(count)
        ]:
            done.result()
    for key in ("t/01/o/x", "t/01/o/y"):
        for body in (b"old", b"new"):
            bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
    bucket.client.delete_object(Bucket=bucket.name, Key="t/01/o/y")
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="t/01/o/z")
    bucket.client.put_object(Bucket=bucket.name, Key="t/010/o/x", Body=b"")
    assert s3.delete_prefix("t/01/") == count + 1
    assert held(bucket) == ["t/010/o/x"]


def test_a_read_goes_on_where_the_object_still_is_and_fails_where_it_is_not(s3: S3Store) -> None:
    s3.put(TARGET, os.urandom(3 * MIB), content_type="x/y")
    with s3.open(TARGET) as stream:
        assert len(stream.read(1000)) == 1000
        s3.delete(TARGET)
        stream._body.close()  # type: ignore[attr-defined]  # as a broken connection would
        with pytest.raises(BlobMissing):
            stream.read(2 * MIB)


def test_a_range_past_the_end_is_empty(s3: S3Store) -> None:
    s3.put(TARGET, b"0123456789", content_type="x/y")
    for start, length in ((10, None), (50, 5), (3, 0)):
        with s3.open(TARGET, start, length) as stream:
            assert stream.read() == b""
    with pytest.raises(BlobMissing):
        s3.open("t/01/o/none", 0, 0)


def test_the_bucket_takes_the_lifecycle_rules(bucket: Bucket) -> None:
    rules = bucket_rules()
    bucket.client.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration=rules)
    kept = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert by_name(kept) == by_name(rules["Rules"])
    assert by_name(kept)["abandoned-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def by_name(rules: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """radosgw tells a filter for everything in its older form, a `Prefix` outside of it."""
    told = {"Filter": {"Prefix": ""}}
    return {rule["ID"]: told | {name: value for name, value in rule.items() if name != "Prefix"} for rule in rules}
