"""What only S3 has behind both ports: classes, versions, parts, many writers' remains. On moto's server."""

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_double import DoubleClock
from behind import REGION, s3_bucket

from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import WINDOW
from infra.aws.s3_pieces import LEAST, MIB
from infra.errors import BlobExists, BlobMissing
from infra.local.files import FileBlobs
from infra.wiring import RENDITIONS

KEY = "t/01/in/u1"
TARGET = "t/01/o/a1/abc"


@pytest.fixture(params=[False, True], ids=["s3: moto server, corrected", "s3: moto server, versioned bucket"])
def bucket(request: pytest.FixtureRequest, moto_clock: DoubleClock, keys: None, unique: str) -> Iterator[Bucket]:
    classes = [(RENDITIONS, "REDUCED_REDUNDANCY")]
    with s3_bucket(moto_clock.url, unique, versioned=request.param, classes=classes) as bucket:
        yield bucket


@pytest.fixture
def store(bucket: Bucket) -> S3Store:
    return S3Store(bucket)


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


def test_the_class_goes_by_the_key_however_the_object_is_made(bucket: Bucket, store: S3Store) -> None:
    large = os.urandom(LEAST + WINDOW)
    store.put("t/01/o/a1/small", b"x", content_type="x/y")
    store.put("t/01/r/a1/1/small.jpg", b"x", content_type="x/y")
    store.put("t/01/r/a1/1/large.mp4", io.BytesIO(large), content_type="x/y")
    store.copy("t/01/o/a1/small", "t/01/r/a1/1/copied.jpg")
    store.copy("t/01/r/a1/1/large.mp4", TARGET)
    classes = {info.key: storage_class(bucket, info.key) for info in store.list("t/")}
    assert classes == {
        "t/01/o/a1/abc": "STANDARD",
        "t/01/o/a1/small": "STANDARD",
        "t/01/r/a1/1/copied.jpg": "REDUCED_REDUNDANCY",
        "t/01/r/a1/1/large.mp4": "REDUCED_REDUNDANCY",
        "t/01/r/a1/1/small.jpg": "REDUCED_REDUNDANCY",
    }


def test_content_types_are_kept_and_copied(bucket: Bucket, store: S3Store) -> None:
    store.put("t/01/o/a1/small", b"x", content_type="image/jpeg")
    store.copy("t/01/o/a1/small", TARGET)
    assert bucket.head(TARGET)["ContentType"] == "image/jpeg"


@pytest.mark.parametrize("kind", ["stream", "path"])
def test_a_large_object_is_sent_in_parts_and_still_written_once(
    bucket: Bucket, store: S3Store, tmp_path: Path, kind: str
) -> None:
    data = os.urandom(2 * WINDOW + 12345)
    path = tmp_path / "source"
    path.write_bytes(data)
    assert store.put(TARGET, path if kind == "path" else io.BytesIO(data), content_type="x/y").size == len(data)
    assert store.fetch(TARGET, tmp_path / "copy").read_bytes() == data
    with pytest.raises(BlobExists):
        store.put(TARGET, path, content_type="x/y")
    assert held(bucket) == [TARGET]


def test_of_large_writers_at_once_one_wins_and_no_parts_stay(bucket: Bucket, store: S3Store) -> None:
    start, won = threading.Barrier(3), list[int]()

    def write(number: int) -> None:
        body = io.BytesIO(bytes([number]) * (WINDOW + 1))
        start.wait()
        try:
            store.put(TARGET, body, content_type="x/y")
            won.append(number)
        except BlobExists:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    with store.open(TARGET) as stream:
        assert set(stream.read()) == set(won)
    assert held(bucket) == [TARGET]


def test_a_source_that_breaks_leaves_nothing(bucket: Bucket, store: S3Store) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 2 * WINDOW:
                raise OSError("the disk is gone")
            return super().read(size)

    with pytest.raises(OSError, match="disk"):
        store.put(TARGET, Breaking(os.urandom(3 * WINDOW)), content_type="x/y")
    assert held(bucket) == []


def test_deleting_removes_every_version_and_nothing_else(bucket: Bucket, store: S3Store) -> None:
    store.put(TARGET, b"one", content_type="x/y")
    store.put(f"{TARGET}-2", b"neighbour", content_type="x/y")
    bucket.client.put_object(Bucket=bucket.name, Key=TARGET, Body=b"overwritten by hand")
    bucket.client.delete_object(Bucket=bucket.name, Key=TARGET)
    store.delete(TARGET)
    assert held(bucket) == [f"{TARGET}-2"]
    store.put(TARGET, b"again", content_type="x/y")


def test_a_tenant_goes_byte_for_byte(bucket: Bucket, store: S3Store) -> None:
    """More objects than DeleteObjects takes, old versions, markers, an unfinished upload; the neighbour stays."""
    versioned = "Status" in bucket.client.get_bucket_versioning(Bucket=bucket.name)
    count = 10 if versioned else 1005
    for number in range(count):
        bucket.client.put_object(Bucket=bucket.name, Key=f"t/01/r/{number:04d}", Body=b"")
    for key in ("t/01/o/x", "t/01/o/y"):
        for body in (b"old", b"new"):
            bucket.client.put_object(Bucket=bucket.name, Key=key, Body=body)
    bucket.client.delete_object(Bucket=bucket.name, Key="t/01/o/y")
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="t/01/o/z")
    bucket.client.put_object(Bucket=bucket.name, Key="t/010/o/x", Body=b"")
    assert store.delete_prefix("t/01/") == count + 1
    assert held(bucket) == ["t/010/o/x"]


def test_a_read_goes_on_where_the_object_still_is_and_fails_where_it_is_not(store: S3Store) -> None:
    store.put(TARGET, os.urandom(3 * MIB), content_type="x/y")
    with store.open(TARGET) as stream:
        assert len(stream.read(1000)) == 1000
        store.delete(TARGET)
        stream._body.close()  # type: ignore[attr-defined]  # as a broken connection would
        with pytest.raises(BlobMissing):
            stream.read(2 * MIB)


def test_a_range_past_the_end_is_empty(store: S3Store) -> None:
    store.put(TARGET, b"0123456789", content_type="x/y")
    for start, length in ((10, None), (50, 5), (3, 0)):
        with store.open(TARGET, start, length) as stream:
            assert stream.read() == b""
    with pytest.raises(BlobMissing):
        store.open("t/01/o/none", 0, 0)


# --- Arriving uploads -------------------------------------------------------------------------------------------------


def test_sealing_copies_windows_and_reads_only_the_rest(bucket: Bucket, store: S3Store) -> None:
    data = os.urandom(2 * WINDOW + 1_000_000)
    append(store, 0, *(data[start : start + 900_000] for start in range(0, len(data), 900_000)))
    sent = Sent(bucket)
    store.seal(KEY, len(data), TARGET, content_type="x/y")
    assert sent.operations.count("UploadPartCopy") == 2
    assert sent.operations.count("UploadPart") == 1
    assert sent.uploaded < LEAST
    with store.open(TARGET) as stream:
        assert stream.read() == data


def test_small_requests_become_windows_too(bucket: Bucket, store: S3Store) -> None:
    """A phone that sends 2 MiB a request: each is another writer, and still most is copied at the end."""
    data = os.urandom(3 * WINDOW)
    for start in range(0, len(data), 2 * MIB):
        append(store, start, data[start : start + 2 * MIB])
    sent = Sent(bucket)
    store.seal(KEY, len(data), TARGET, content_type="x/y")
    assert sent.operations.count("UploadPartCopy") == 3
    assert "UploadPart" not in sent.operations
    with store.open(TARGET) as stream:
        assert stream.read() == data


def test_sealing_twice_at_once_makes_one_object_and_leaves_no_parts(bucket: Bucket, store: S3Store) -> None:
    data = os.urandom(2 * WINDOW)
    append(store, 0, data)
    sealed: list[str] = []
    threads = [
        threading.Thread(target=lambda: sealed.append(store.seal(KEY, len(data), TARGET, content_type="x/y").etag))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sealed) == 3
    assert len(set(sealed)) == 1
    store.discard(KEY)
    assert held(bucket) == [TARGET]


def test_an_empty_upload_is_sealed(store: S3Store) -> None:
    append(store, 0)
    assert store.seal(KEY, 0, TARGET, content_type="x/y").size == 0
    with pytest.raises(BlobMissing):
        store.seal("t/01/in/none", 0, "t/01/o/a2/abc", content_type="x/y")


def test_joining_large_and_small_parts(store: S3Store) -> None:
    first, second, third = os.urandom(WINDOW + 1000), b"between", os.urandom(2 * WINDOW + 5)
    for key, data in (("t/01/in/p1", first), ("t/01/in/p2", second), ("t/01/in/p3", third)):
        append(store, 0, data, key=key)
    lengths = [("t/01/in/p1", len(first)), ("t/01/in/p2", len(second)), ("t/01/in/p3", len(third) - 5)]
    whole = first + second + third[:-5]
    assert store.join(lengths, KEY) == len(whole)
    append(store, len(whole), b"more")
    store.seal(KEY, len(whole) + 4, TARGET, content_type="x/y")
    with store.open(TARGET) as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == hashlib.sha256(whole + b"more").digest()


def test_a_dead_writers_request_that_arrives_late_changes_nothing(bucket: Bucket, store: S3Store) -> None:
    dead = store.writer(KEY, 0)
    dead.write(memoryview(b"hello "))
    dead.commit()
    dead.write(memoryview(b"ghost"))
    append(store, 6, b"you")
    dead.commit()
    with store.read(KEY, 9) as stream:
        assert stream.read() == b"hello you"
    assert store.size(KEY) == 9


def test_discarding_leaves_nothing(bucket: Bucket, store: S3Store) -> None:
    append(store, 0, os.urandom(WINDOW + 10), b"more")
    append(store, 0, b"over again")
    store.discard(KEY)
    assert held(bucket) == []


def test_an_upload_with_no_byte_yet_is_a_leftover_too(store: S3Store) -> None:
    store.writer(KEY, 0).close()
    assert list(store.leftovers("t/01/in/")) == [KEY]


def test_arriving_uploads_are_no_objects(store: S3Store) -> None:
    append(store, 0, b"x")
    assert list(store.list("t/")) == []


def test_committing_while_writing_goes_on(store: S3Store) -> None:
    data = os.urandom(3 * WINDOW)
    writer = store.writer(KEY, 0)
    over = threading.Event()
    commits: list[tuple[int, int]] = []

    def commit() -> None:
        while not over.is_set():
            committed = writer.commit()
            commits.append((committed, store.size(KEY)))

    thread = threading.Thread(target=commit)
    thread.start()
    for start in range(0, len(data), 100_000):
        writer.write(memoryview(data)[start : start + 100_000])
        time.sleep(0.003)
    over.set()
    thread.join()
    assert writer.commit() == len(data)
    writer.close()
    assert len(commits) > 3
    assert all(stored >= committed for committed, stored in commits)
    with store.read(KEY, len(data)) as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("seed", range(2))
def test_any_use_leaves_what_files_would_hold(store: S3Store, tmp_path: Path, seed: int) -> None:
    """The embedded adapter is the model: the same random writers, cuts and joins on both."""
    chance = random.Random(seed)
    files = FileBlobs(tmp_path / "files")
    for _ in range(6):
        size = files.size(KEY)
        offset = chance.choice([size, size, chance.randint(0, size)])
        writers = [each.writer(KEY, offset) for each in (store, files)]
        for _ in range(chance.randint(0, 3)):
            piece = chance.randbytes(chance.choice([10, 1 * MIB, WINDOW - 1, WINDOW + 1]))
            for writer in writers:
                writer.write(memoryview(piece))
            if chance.random() < 0.7:
                assert len({writer.commit() for writer in writers}) == 1
        assert len({writer.commit() for writer in writers}) == 1
        for writer in writers:
            writer.close()
        if chance.random() < 0.3:
            for each in (store, files):
                each.join([(KEY, files.size(KEY) // 2), (KEY, files.size(KEY))], "t/01/in/joined")
                each.join([("t/01/in/joined", files.size(KEY) // 2)], KEY)
        assert store.size(KEY) == files.size(KEY)
    length = files.size(KEY)
    for each in (store, files):
        each.seal(KEY, length, TARGET, content_type="x/y")
    with store.open(TARGET) as ours, files.open(TARGET) as theirs:
        assert hashlib.file_digest(ours, "sha256").digest() == hashlib.file_digest(theirs, "sha256").digest()


# --- Processes --------------------------------------------------------------------------------------------------------

ELSEWHERE = f"""
import sys, tracemalloc
from infra.aws.client import Clients
from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
store = S3Store(Bucket(Clients(region={REGION!r}, endpoint_url=sys.argv[1]), sys.argv[2]))
"""

WRITING = """
import random
source = random.Random(7)
writer = store.writer("t/01/in/u1", int(sys.argv[3]))
source.randbytes(int(sys.argv[3]))
while True:
    writer.write(memoryview(source.randbytes(300_000)))
    print(writer.commit(), flush=True)
"""

MEASURING = """
piece = bytes(1 << 20)
writer = store.writer("t/01/in/u1", 0)
writer.commit()
tracemalloc.start()
for _ in range(30):
    writer.write(memoryview(piece))
    writer.commit()
print(tracemalloc.get_traced_memory()[1])
"""


def elsewhere(script: str, endpoint: str, name: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ELSEWHERE + script, endpoint, name, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."})


@pytest.mark.faults
def test_a_killed_writers_upload_goes_on_in_another_process(
    bucket: Bucket, store: S3Store, moto_clock: DoubleClock
) -> None:
    acknowledged = 0
    for lines in (3, 40):
        with elsewhere(WRITING, moto_clock.url, bucket.name, str(acknowledged)) as process:
            assert process.stdout is not None
            for _ in range(lines):
                acknowledged = int(process.stdout.readline())
            time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert store.size(KEY) >= acknowledged
    store.seal(KEY, acknowledged, TARGET, content_type="x/y")
    with store.open(TARGET) as stream:
        assert stream.read() == random.Random(7).randbytes(acknowledged)


def test_a_writer_holds_less_than_16_mib(bucket: Bucket, moto_clock: DoubleClock) -> None:
    with elsewhere(MEASURING, moto_clock.url, bucket.name) as process:
        assert process.stdout is not None
        peak = int(process.stdout.read())
    assert process.returncode == 0
    assert WINDOW < peak < 16 * MIB
