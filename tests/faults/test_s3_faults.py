"""S3 on a bad day: one request in five refused, failed after the fact, or cut off. moto behind our fake fault proxy."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_double import DoubleClock
from behind import REGION, s3_bucket
from fault_proxy import FaultProxy, faulty

from infra.aws.client import Clients
from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import WINDOW
from infra.errors import BlobExists, Unavailable

pytestmark = pytest.mark.faults


@pytest.fixture
def calm(moto_clock: DoubleClock, keys: None, unique: str) -> Iterator[Bucket]:
    """The bucket as it really is, past the proxy."""
    with s3_bucket(moto_clock.url, unique, versioned=True) as bucket:
        yield bucket


@pytest.fixture
def proxy(moto_clock: DoubleClock) -> Iterator[FaultProxy]:
    with faulty(moto_clock.url) as proxy:
        yield proxy


@pytest.fixture
def store(calm: Bucket, proxy: FaultProxy) -> Iterator[S3Store]:
    clients = Clients(region=REGION, endpoint_url=proxy.url)
    yield S3Store(Bucket(clients, calm.name))
    clients.close()


def test_uploads_end_whole_and_leave_nothing(store: S3Store, calm: Bucket, proxy: FaultProxy, tmp_path: Path) -> None:
    """Arriving, resuming, sealing, reading, copying, deleting: as on a good day, down to versions and parts."""
    sizes = [0, 10, 1_000_000, WINDOW, WINDOW + 12345, 2 * WINDOW + 777_777]
    sources = {f"t/01/o/a{number}/x": os.urandom(size) for number, size in enumerate(sizes)}
    for number, (target, data) in enumerate(sources.items()):
        key = f"t/01/in/u{number}"
        for start in range(0, max(1, len(data)), 4_000_000):
            writer = store.writer(key, start)
            for at in range(start, min(start + 4_000_000, len(data)), 1_000_000):
                writer.write(memoryview(data)[at : min(at + 1_000_000, start + 4_000_000)])
                writer.commit()
            writer.close()
        assert store.seal(key, len(data), target, content_type="x/y").size == len(data)
        store.discard(key)
    for number, (target, data) in enumerate(sources.items()):
        assert digest(store.fetch(target, tmp_path / str(number)).read_bytes()) == digest(data)
        with store.open(target) as stream:
            assert digest(stream.read()) == digest(data)
        copied = f"t/01/o/b{number}/x"
        assert store.copy(target, copied).size == len(data)
    copies = {key.replace("/a", "/b"): data for key, data in sources.items()}
    assert stored(calm) == {key: digest(data) for key, data in {**sources, **copies}.items()}
    assert unfinished(calm) == []
    assert store.delete_prefix("t/01/o/") == 2 * len(sizes)
    assert versions(calm) == []
    assert min(proxy.hit.values()) > 3, proxy.hit
    assert sum(proxy.hit.values()) > proxy.seen / 8


def test_a_write_whose_answer_was_lost_is_known_as_ones_own(store: S3Store, calm: Bucket, proxy: FaultProxy) -> None:
    for number in range(20):
        key = f"t/01/r/a/{number}/w.jpg"
        store.put(key, bytes([number]), content_type="image/jpeg")
        with pytest.raises(BlobExists):
            store.put(key, b"someone else", content_type="image/jpeg")
    store.put("t/01/r/a/large", io.BytesIO(bytes(2 * WINDOW)), content_type="x/y")
    assert proxy.hit["fail after"] > 3
    assert [calm.info(f"t/01/r/a/{number}/w.jpg").size for number in range(20)] == [1] * 20
    assert unfinished(calm) == []


def test_an_outage_is_said_to_be_one_and_what_was_committed_is_intact(
    store: S3Store, calm: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.one_in = 0
    writer = store.writer("t/01/in/u", 0)
    writer.write(memoryview(b"kept"))
    assert writer.commit() == 4
    writer.write(memoryview(b" and more"))
    proxy.one_in = 1
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    with pytest.raises(Unavailable):
        writer.commit()
    proxy.one_in = 0
    assert S3Store(calm).size("t/01/in/u") >= 4
    assert writer.commit() == 13
    writer.close()
    with store.read("t/01/in/u", 13) as stream:
        assert stream.read() == b"kept and more"


def test_what_is_damaged_on_the_way_is_refused_and_sent_again(store: S3Store, calm: Bucket, proxy: FaultProxy) -> None:
    """By the checksum that goes with it: of an arriving piece, of an object, of a part."""
    proxy.one_in = 0
    writer = store.writer("t/01/in/u", 0)
    writer.write(memoryview(b"whole"))
    for write in (
        writer.commit,
        lambda: store.put("t/01/o/a/x", b"whole", content_type="x/y"),
        lambda: store.put("t/01/o/b/x", io.BytesIO(bytes(2 * WINDOW)), content_type="x/y"),
    ):
        proxy.damage = 1
        with pytest.raises(Unavailable, match="damaged"):
            write()
        assert proxy.damage == 0
        write()
    writer.close()
    with store.read("t/01/in/u", 5) as stream:
        assert stream.read() == b"whole"
    whole = {"t/01/o/a/x": digest(b"whole"), "t/01/o/b/x": digest(bytes(2 * WINDOW))}
    assert {key: found for key, found in stored(calm).items() if key in whole} == whole
    assert unfinished(calm) == []


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored(bucket: Bucket) -> dict[str, str]:
    """SHA-256 of every object, and of nothing else: each has one version."""
    assert len(versions(bucket)) == len(list(bucket.list("")))
    whole = S3Store(bucket)
    found = {}
    for info in bucket.list(""):
        with whole.open(info.key) as stream:
            found[info.key] = digest(stream.read())
    return found


def versions(bucket: Bucket) -> list[str]:
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    return [each["Key"] for each in (*answer.get("Versions", []), *answer.get("DeleteMarkers", []))]


def unfinished(bucket: Bucket) -> list[str]:
    return [each["Key"] for each in bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", [])]
