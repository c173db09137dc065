"""The real upload server, on gevent, with S3 behind it: killed while files arrive, and while S3 has a bad day."""

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest
from behind import REGION, s3_stand
from conftest import World
from fault_proxy import faulty
from upload_server import Server, announce, patiently, ticket

from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import WINDOW
from infra.settings import Settings

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SIZE = 50 * 1024 * 1024


@pytest.fixture(params=["s3: moto server, corrected", "s3: radosgw"])
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    with s3_stand(request.param, request) as bucket:
        yield bucket


def server(settings: Settings, bucket: Bucket, endpoint: str) -> Server:
    return Server(
        settings.data_dir,
        VITRINE_BLOBS="s3",
        VITRINE_S3_BUCKET=bucket.name,
        VITRINE_AWS_REGION=REGION,
        VITRINE_AWS_ENDPOINT_URL=endpoint,
    )


def stored(bucket: Bucket) -> int:
    """Bytes of the one upload that is arriving."""
    intake = S3Store(bucket)
    return sum(intake.size(key) for key in intake.leftovers("t/"))


def original(bucket: Bucket, tenant: str, asset: str) -> str:
    """SHA-256 of the one original of the asset."""
    (info,) = bucket.list(f"t/{tenant}/o/{asset}/")
    with S3Store(bucket).open(info.key) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def test_a_killed_server_loses_nothing_that_it_acknowledged(settings: Settings, world: World, bucket: Bucket) -> None:
    data = os.urandom(SIZE)
    bearer = ticket(secret(settings), world.alpha, world.alpha_album)
    running = server(settings, bucket, bucket.client.meta.endpoint_url).start()
    try:
        upload = announce(running.port, bearer, SIZE, "a.mp4")
        done: list[str] = []
        client = threading.Thread(target=lambda: done.append(patiently(running.port, bearer, upload, data)))
        client.start()
        for windows in (1, 3):
            while stored(bucket) < windows * WINDOW:
                time.sleep(0.01)
            running.kill()
            assert done == []
            running.start()
        client.join()
    finally:
        running.stop()
    assert original(bucket, world.alpha, done[0]) == hashlib.sha256(data).hexdigest()
    assert [info.key for info in bucket.list("arriving/")] == []


def test_many_uploads_at_once_while_s3_has_a_bad_day(settings: Settings, world: World, bucket: Bucket) -> None:
    files = [os.urandom(size) for size in (1000, 200_000, 3_000_000, 9_000_000, 16_000_000)]
    bearer = ticket(secret(settings), world.alpha, world.alpha_album)
    with faulty(bucket.client.meta.endpoint_url, one_in=5) as proxy, server(settings, bucket, proxy.url) as running:
        done: dict[int, str] = {}

        def send(number: int) -> None:
            upload = announce(running.port, bearer, len(files[number]), "a.mp4")
            done[number] = patiently(running.port, bearer, upload, files[number])

        clients = [threading.Thread(target=send, args=(number,)) for number in range(len(files))]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert sum(proxy.hit.values()) > 5
        running.stop()
    assert {number: original(bucket, world.alpha, asset) for number, asset in done.items()} == {
        number: hashlib.sha256(data).hexdigest() for number, data in enumerate(files)
    }
    assert [info.key for info in bucket.list("arriving/")] == []
    assert bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []
    with sqlite3.connect(settings.data_dir / "vitrine.db") as database:
        assert database.execute("select count(*) from assets").fetchone() == (len(files),)
    database.close()


def secret(settings: Settings) -> str:
    return settings.secret_key.get_secret_value()
