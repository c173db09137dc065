"""The BlobStore contract (infra/ports/blobs.py)."""

import io
import os
from pathlib import Path

import pytest
from contracts.race import winners

from infra.errors import BlobExists, BlobMissing
from infra.ports import BlobStore

KEY = "t/01/o/a1/abc"


def put(store: BlobStore, key: str, data: bytes = b"0123456789") -> None:
    store.put(key, data, content_type="application/octet-stream")


def read(store: BlobStore, key: str, start: int = 0, length: int | None = None) -> bytes:
    with store.open(key, start, length) as stream:
        return stream.read()


@pytest.mark.parametrize("source", ["bytes", "path", "stream"])
def test_what_is_put_is_read(store: BlobStore, tmp_path: Path, source: str) -> None:
    data = os.urandom(3_000_000)
    given: bytes | Path | io.BytesIO = data
    if source == "path":
        given = tmp_path / "source"
        given.write_bytes(data)
    elif source == "stream":
        given = io.BytesIO(data)
    info = store.put(KEY, given, content_type="image/jpeg")
    assert info.size == len(data)
    assert read(store, KEY) == data
    assert store.stat(KEY) == info


def test_a_taken_key_is_never_overwritten(store: BlobStore) -> None:
    put(store, KEY, b"first")
    with pytest.raises(BlobExists):
        put(store, KEY, b"second")
    assert read(store, KEY) == b"first"


def test_of_many_writers_at_once_one_wins_whole(store: BlobStore) -> None:
    won = winners(8, lambda number: store.put(KEY, bytes([number]) * 100_000, content_type="x/y"))
    assert len(won) == 1
    assert read(store, KEY) == bytes(won) * 100_000


@pytest.mark.parametrize(("start", "length", "expected"), [(0, 4, b"0123"), (4, None, b"456789"), (8, 50, b"89")])
def test_ranges(store: BlobStore, start: int, length: int | None, expected: bytes) -> None:
    put(store, KEY)
    assert read(store, KEY, start, length) == expected


def test_a_bounded_stream_reads_in_pieces(store: BlobStore) -> None:
    put(store, KEY)
    with store.open(KEY, 2, 6) as stream:
        assert [stream.read(4), stream.read(4), stream.read(4)] == [b"2345", b"67", b""]


def test_missing_objects(store: BlobStore, tmp_path: Path) -> None:
    for missing in (
        lambda: store.stat(KEY),
        lambda: store.open(KEY),
        lambda: store.fetch(KEY, tmp_path / "x"),
        lambda: store.copy(KEY, "t/01/o/a2/abc"),
    ):
        with pytest.raises(BlobMissing):
            missing()
    store.delete(KEY)  # no error


def test_fetch_gives_a_local_file(store: BlobStore, tmp_path: Path) -> None:
    put(store, KEY)
    assert store.fetch(KEY, tmp_path / "local").read_bytes() == b"0123456789"
    store.delete(KEY)
    assert (tmp_path / "local").read_bytes() == b"0123456789"


def test_copy_is_independent_and_write_if_absent(store: BlobStore) -> None:
    put(store, KEY)
    store.copy(KEY, "t/01/o/a2/abc")
    with pytest.raises(BlobExists):
        store.copy(KEY, "t/01/o/a2/abc")
    store.delete(KEY)
    assert read(store, "t/01/o/a2/abc") == b"0123456789"


def test_listing_is_in_key_order_and_deletion_by_prefix_is_exact(store: BlobStore) -> None:
    keys = ["t/01/r/a1/1/w.jpg", "t/01/r/a1-2/x", "t/01/r/a1/2/w.jpg", "t/01/r/a10/1/w.jpg", "t/02/r/a1/1/w.jpg"]
    for key in keys:
        put(store, key)
    assert [info.key for info in store.list("t/01/")] == sorted(keys[:4])
    assert [info.key for info in store.list("t/01/r/a1")] == sorted(keys[:4])
    assert store.delete_prefix("t/01/r/a1/") == 2
    assert [info.key for info in store.list("t/")] == sorted([keys[1], keys[3], keys[4]])
    with pytest.raises(ValueError, match="slash"):
        store.delete_prefix("t/01")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "t/../x", "t//x", "t/./x", ".hidden", "t/x\n", "t/x y", "t/x/"])
def test_keys_that_could_leave_the_store_are_refused(store: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        put(store, key)


def test_the_validator_changes_with_the_object(store: BlobStore) -> None:
    put(store, KEY, b"one")
    before = store.stat(KEY).etag
    store.delete(KEY)
    put(store, KEY, b"two!")
    assert store.stat(KEY).etag != before
