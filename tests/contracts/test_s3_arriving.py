"""Arriving uploads in S3: the log of objects that becomes one (docs/adr/0070)."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from behind import REGION, S3_CONDITIONAL
from contracts.race import at_once
from contracts.s3_view import KEY, TARGET, Sent, append, held

from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import WINDOW
from infra.aws.s3_pieces import LEAST, MIB
from infra.errors import BlobMissing
from infra.local.files import FileBlobs


def test_sealing_copies_windows_and_reads_only_the_rest(bucket: Bucket, s3: S3Store) -> None:
    data = os.urandom(2 * WINDOW + 1_000_000)
    append(s3, 0, *(data[start : start + 900_000] for start in range(0, len(data), 900_000)))
    sent = Sent(bucket)
    s3.seal(KEY, len(data), TARGET, content_type="x/y")
    assert sent.operations.count("UploadPartCopy") == 2
    assert sent.operations.count("UploadPart") == 1
    assert sent.uploaded < LEAST
    with s3.open(TARGET) as stream:
        assert stream.read() == data


def test_small_requests_become_windows_too(bucket: Bucket, s3: S3Store) -> None:
    """A phone that sends 2 MiB a request: each is another writer, and still most is copied at the end."""
    data = os.urandom(3 * WINDOW)
    for start in range(0, len(data), 2 * MIB):
        append(s3, start, data[start : start + 2 * MIB])
    sent = Sent(bucket)
    s3.seal(KEY, len(data), TARGET, content_type="x/y")
    assert sent.operations.count("UploadPartCopy") == 3
    assert "UploadPart" not in sent.operations
    with s3.open(TARGET) as stream:
        assert stream.read() == data


@pytest.mark.parametrize("bucket", S3_CONDITIONAL, indirect=True)
def test_sealing_twice_at_once_makes_one_object_and_leaves_no_parts(bucket: Bucket, s3: S3Store) -> None:
    data = os.urandom(2 * WINDOW)
    append(s3, 0, data)
    sealed: list[str] = []
    at_once(3, lambda _: sealed.append(s3.seal(KEY, len(data), TARGET, content_type="x/y").etag))
    assert len(sealed) == 3
    assert len(set(sealed)) == 1
    s3.discard(KEY)
    assert held(bucket) == [TARGET]


def test_an_empty_upload_is_sealed(s3: S3Store) -> None:
    append(s3, 0)
    assert s3.seal(KEY, 0, TARGET, content_type="x/y").size == 0
    with pytest.raises(BlobMissing):
        s3.seal("t/01/in/none", 0, "t/01/o/a2/abc", content_type="x/y")


def test_joining_large_and_small_parts(s3: S3Store) -> None:
    first, second, third = os.urandom(WINDOW + 1000), b"between", os.urandom(2 * WINDOW + 5)
    for key, data in (("t/01/in/p1", first), ("t/01/in/p2", second), ("t/01/in/p3", third)):
        append(s3, 0, data, key=key)
    lengths = [("t/01/in/p1", len(first)), ("t/01/in/p2", len(second)), ("t/01/in/p3", len(third) - 5)]
    whole = first + second + third[:-5]
    assert s3.join(lengths, KEY) == len(whole)
    append(s3, len(whole), b"more")
    s3.seal(KEY, len(whole) + 4, TARGET, content_type="x/y")
    with s3.open(TARGET) as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == hashlib.sha256(whole + b"more").digest()


def test_a_dead_writers_request_that_arrives_late_changes_nothing(bucket: Bucket, s3: S3Store) -> None:
    dead = s3.writer(KEY, 0)
    dead.write(memoryview(b"hello "))
    dead.commit()
    dead.write(memoryview(b"ghost"))
    append(s3, 6, b"you")
    dead.commit()
    with s3.read(KEY, 9) as stream:
        assert stream.read() == b"hello you"
    assert s3.size(KEY) == 9


def test_discarding_leaves_nothing(bucket: Bucket, s3: S3Store) -> None:
    append(s3, 0, os.urandom(WINDOW + 10), b"more")
    append(s3, 0, b"over again")
    s3.discard(KEY)
    assert held(bucket) == []


def test_an_upload_with_no_byte_yet_is_a_leftover_too(s3: S3Store) -> None:
    s3.writer(KEY, 0).close()
    assert list(s3.leftovers("t/01/in/")) == [KEY]


def test_arriving_uploads_are_no_objects(s3: S3Store) -> None:
    append(s3, 0, b"x")
    assert list(s3.list("t/")) == []


def test_committing_while_writing_goes_on(s3: S3Store) -> None:
    data = os.urandom(3 * WINDOW)
    writer = s3.writer(KEY, 0)
    over = threading.Event()
    commits: list[tuple[int, int]] = []

    def commit() -> None:
        while not over.is_set():
            committed = writer.commit()
            commits.append((committed, s3.size(KEY)))

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
    with s3.read(KEY, len(data)) as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("seed", range(2))
def test_any_use_leaves_what_files_would_hold(s3: S3Store, tmp_path: Path, seed: int) -> None:
    """The embedded adapter is the model: the same random writers, cuts and joins on both."""
    chance = random.Random(seed)
    files = FileBlobs(tmp_path / "files")
    for _ in range(6):
        size = files.size(KEY)
        offset = chance.choice([size, size, chance.randint(0, size)])
        writers = [each.writer(KEY, offset) for each in (s3, files)]
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
            for each in (s3, files):
                each.join([(KEY, files.size(KEY) // 2), (KEY, files.size(KEY))], "t/01/in/joined")
                each.join([("t/01/in/joined", files.size(KEY) // 2)], KEY)
        assert s3.size(KEY) == files.size(KEY)
    length = files.size(KEY)
    for each in (s3, files):
        each.seal(KEY, length, TARGET, content_type="x/y")
    with s3.open(TARGET) as ours, files.open(TARGET) as theirs:
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


def elsewhere(script: str, bucket: Bucket, *more: str) -> subprocess.Popen[str]:
    endpoint = bucket.client.meta.endpoint_url
    command = [sys.executable, "-c", ELSEWHERE + script, endpoint, bucket.name, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."})


@pytest.mark.faults
def test_a_killed_writers_upload_goes_on_in_another_process(bucket: Bucket, s3: S3Store) -> None:
    acknowledged = 0
    for lines in (3, 40):
        with elsewhere(WRITING, bucket, str(acknowledged)) as process:
            assert process.stdout is not None
            for _ in range(lines):
                acknowledged = int(process.stdout.readline())
            time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert s3.size(KEY) >= acknowledged
    s3.seal(KEY, acknowledged, TARGET, content_type="x/y")
    with s3.open(TARGET) as stream:
        assert stream.read() == random.Random(7).randbytes(acknowledged)


def test_a_writer_holds_less_than_16_mib(bucket: Bucket) -> None:
    with elsewhere(MEASURING, bucket) as process:
        assert process.stdout is not None
        peak = int(process.stdout.read())
    assert process.returncode == 0
    assert WINDOW < peak < 16 * MIB
