"""The real upload server, on gevent, with S3 behind it: killed while files arrive, and while S3 has a bad day."""

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from aws_double import DoubleClock
from behind import REGION, s3_bucket
from conftest import World
from fault_proxy import faulty
from upload_server import BODY, HttpClient, Server, headers, named, ticket

from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import WINDOW
from infra.settings import Settings

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SIZE = 50 * 1024 * 1024


@pytest.fixture
def bucket(moto_clock: DoubleClock, keys: None, unique: str) -> Iterator[Bucket]:
    with s3_bucket(moto_clock.url, unique) as bucket:
        yield bucket


def server(settings: Settings, bucket: Bucket, endpoint: str) -> Server:
    return Server(
        settings.data_dir,
        VITRINE_BLOBS="s3",
        VITRINE_S3_BUCKET=bucket.name,
        VITRINE_AWS_REGION=REGION,
        VITRINE_AWS_ENDPOINT_URL=endpoint,
    )


def announce(port: int, bearer: str, size: int) -> str:
    """Create an upload; its path."""
    asked = headers(bearer, Upload_Length=size, Upload_Metadata=named("a.mp4"))
    with closing(HttpClient(port)) as client:
        answer = client("POST", "/files/", asked)
    assert answer.status == 201
    return answer.headers["Location"].partition("/files/")[2]


def send_from_offset(port: int, bearer: str, upload: str, data: bytes) -> str | None:
    """One PATCH with all that is missing; the asset's id once the upload is complete. Raises as HTTP clients do."""
    with closing(HttpClient(port)) as client:
        offset = client("HEAD", f"/files/{upload}", headers(bearer)).offset
        asked = {**headers(bearer, Upload_Offset=offset), **BODY}
        answer = client("PATCH", f"/files/{upload}", asked, data[offset:])
    return answer.headers.get("Upload-Asset") if answer.status == 204 else None


def patiently(port: int, bearer: str, upload: str, data: bytes) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if asset := send_from_offset(port, bearer, upload, data):
                return asset
        except (OSError, KeyError):
            pass  # The server is down, or holds the upload for another request: as a tus client does, try again.
        time.sleep(0.3)
    raise TimeoutError(upload)


def stored(bucket: Bucket) -> int:
    """Bytes of the one upload that is arriving."""
    intake = S3Store(bucket)
    return sum(intake.size(key) for key in intake.leftovers("t/"))


def original(bucket: Bucket, tenant: str, asset: str) -> str:
    """SHA-256 of the one original of the asset."""
    (info,) = bucket.list(f"t/{tenant}/o/{asset}/")
    with S3Store(bucket).open(info.key) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def test_a_killed_server_loses_nothing_that_it_acknowledged(
    settings: Settings, world: World, bucket: Bucket, moto_clock: DoubleClock
) -> None:
    data = os.urandom(SIZE)
    bearer = ticket(secret(settings), world.alpha, world.alpha_album)
    running = server(settings, bucket, moto_clock.url).start()
    try:
        upload = announce(running.port, bearer, SIZE)
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


def test_many_uploads_at_once_while_s3_has_a_bad_day(
    settings: Settings, world: World, bucket: Bucket, moto_clock: DoubleClock
) -> None:
    files = [os.urandom(size) for size in (1000, 200_000, 3_000_000, 9_000_000, 16_000_000)]
    bearer = ticket(secret(settings), world.alpha, world.alpha_album)
    with faulty(moto_clock.url, one_in=5) as proxy, server(settings, bucket, proxy.url) as running:
        done: dict[int, str] = {}

        def send(number: int) -> None:
            upload = announce(running.port, bearer, len(files[number]))
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
