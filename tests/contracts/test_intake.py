"""The Intake contract (infra/ports/blobs.py): bytes of uploads that are still arriving."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import BlobMissing
from infra.local.files import FileBlobs

KEY = "t/01/in/u1"
TARGET = "t/01/o/a1/abc"


def append(store: FileBlobs, offset: int, data: bytes, key: str = KEY) -> int:
    writer = store.writer(key, offset)
    try:
        writer.write(memoryview(data))
        return writer.commit()
    finally:
        writer.close()


def test_appending_continues_where_it_was_committed(store: FileBlobs) -> None:
    assert append(store, 0, b"hello ") == 6
    assert append(store, 6, b"world") == 11
    assert store.size(KEY) == 11
    with store.read(KEY, 11) as stream:
        assert stream.read() == b"hello world"


def test_bytes_past_the_acknowledged_offset_are_dropped(store: FileBlobs) -> None:
    append(store, 0, b"hello ghost")
    assert append(store, 6, b"you") == 9
    with store.read(KEY, 9) as stream:
        assert stream.read() == b"hello you"


def test_a_writer_refuses_to_leave_a_hole(store: FileBlobs) -> None:
    append(store, 0, b"abc")
    with pytest.raises(BlobMissing):
        store.writer(KEY, 4)
    with pytest.raises(BlobMissing):
        store.writer("t/01/in/unknown", 1)


def test_sealing_makes_an_object_and_can_be_repeated(store: FileBlobs) -> None:
    data = os.urandom(100_000)
    append(store, 0, data)
    first = store.seal(KEY, len(data), TARGET, content_type="x/y")
    assert store.seal(KEY, len(data), TARGET, content_type="x/y").etag == first.etag
    store.discard(KEY)
    assert store.seal(KEY, len(data), TARGET, content_type="x/y").size == len(data)
    with store.open(TARGET) as stream:
        assert stream.read() == data


def test_sealing_cuts_what_was_never_acknowledged(store: FileBlobs) -> None:
    append(store, 0, b"whole and more")
    assert store.seal(KEY, 5, TARGET, content_type="x/y").size == 5


def test_sealing_nothing_is_an_error(store: FileBlobs) -> None:
    with pytest.raises(BlobMissing):
        store.seal(KEY, 3, TARGET, content_type="x/y")


def test_joining_keeps_order_and_parts(store: FileBlobs) -> None:
    append(store, 0, b"one,", "t/01/in/p1")
    append(store, 0, b"two,", "t/01/in/p2")
    assert store.join([("t/01/in/p2", 4), ("t/01/in/p1", 3)], KEY) == 7
    with store.read(KEY, 7) as stream:
        assert stream.read() == b"two,one"
    assert store.size("t/01/in/p1") == 4


def test_leftovers_are_listed_and_discarded(store: FileBlobs) -> None:
    append(store, 0, b"x")
    append(store, 0, b"x", "t/02/in/u2")
    assert list(store.leftovers("t/01/in/")) == [KEY]
    store.discard(KEY)
    store.discard(KEY)
    assert list(store.leftovers("t/01/in/")) == []
    assert store.size(KEY) == 0


def test_no_room_is_reported_and_loses_nothing_committed(tmp_path: Path) -> None:
    """In a process of its own whose files may hold 1 MiB (RLIMIT_FSIZE): what a full disk does to a write."""
    script = f"""
import resource, signal
from pathlib import Path
from infra.errors import StorageFull
from infra.local.files import FileBlobs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, {resource.RLIM_INFINITY}))
writer = FileBlobs(Path({str(tmp_path)!r})).writer({KEY!r}, 0)
writer.write(memoryview(b"a" * 900_000))
committed = writer.commit()
try:
    writer.write(memoryview(b"b" * 900_000))
except StorageFull:
    print(committed, "then full")
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "900000 then full"
    store = FileBlobs(tmp_path)
    assert append(store, 900_000, b"c") == 900_001
    with store.read(KEY, 900_001) as stream:
        assert stream.read() == b"a" * 900_000 + b"c"
