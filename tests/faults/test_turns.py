"""One tenant has queued 2,000 photos; another tenant's single photo starts within the time of two jobs per worker.

Real processes, on the embedded queue and on SQS (moto's server, corrected, stands behind it: how fair SQS itself is, it
does not show). There it is 400: each message makes moto slower, and the relay counts no further than 100.
"""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import aws_double
import pytest
from conftest import World
from faults.processor_fleet import Fleet, RedisServer
from sqlalchemy import func, insert, select

import wsgi
from infra.local.tables import metric_points
from infra.settings import load
from tenants import outbox
from tenants.catalog import Asset
from tenants.db import db
from tenants.names import new_id, original_key
from tenants.scope import Site, open_site, ports
from uploader.relay import relay_once

pytestmark = pytest.mark.faults

MANY = {"sql": 2000, "sqs": 400}
WORKERS = 2


@pytest.fixture(scope="module", params=["sql: SQLite on disk", "sqs: moto server, corrected"])
def idle_fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World]
) -> Iterator[Fleet]:
    """A bridge and workers, not started yet."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param.startswith("sqs"):
            url, _ = request.getfixturevalue("moto")
            for name, value in {
                "VITRINE_QUEUE": "sqs",
                "VITRINE_SQS_QUEUE": "turns",
                "VITRINE_AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "double",
                "AWS_SECRET_ACCESS_KEY": "double",
            }.items():
                patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("turns")
        shutil.copyfile(populated[0], folder / "vitrine.db")
        redis = RedisServer(folder)
        app = wsgi.core(load(data_dir=folder, visibility=10, max_receives=20, redis_url=redis.url, workers=WORKERS))
        with app.app_context():
            idle = Fleet(app, app.extensions["vitrine.settings"], redis, folder / "faults", ())
            yield idle
            idle.stop()
            redis.kill()
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[str, int]]:
    with aws_double.running() as running:
        yield running


def received(site: Site, album: str, photo: Path, count: int) -> list[str]:
    """Assets as `uploader.finish` leaves them; in bulk, since the way there is not what is tested."""
    digest = sha256(photo.read_bytes()).hexdigest()
    ids = [new_id() for _ in range(count)]
    first, *others = [original_key(site.tenant_id, asset_id, digest) for asset_id in ids]
    site.blobs.put(first, photo, content_type="image/jpeg")
    for key in others:
        site.blobs.copy(first, key)
    now = site.now()
    about = {"tenant_id": site.tenant_id, "album_id": album, "filename": photo.name, "sort_name": photo.name}
    about |= {"sha256": digest, "size": photo.stat().st_size, "taken_at": now, "created_at": now}
    site.session.execute(insert(Asset), [{"id": asset_id, **about} for asset_id in ids])
    for asset_id in ids:
        outbox.add(site.session, site.tenant_id, outbox.media_job(site.tenant_id, asset_id), now=now)
    site.session.commit()
    return ids


def started(tenant: str) -> int:
    with open_site(tenant) as site:
        return site.session.scalar(select(func.count()).where(Asset.fence > 0)) or 0


def starts(tenant: str) -> list[datetime]:
    """When the jobs that are over began, from what their processes measured: no matter how late a test looks."""
    ended = select(metric_points).where(metric_points.c.name == "job.seconds")
    with db.engine.connect() as connection:
        rows = connection.execute(ended).all()
    return [row.at - timedelta(seconds=row.value) for row in rows if row.dimensions["tenant"] == tenant]


def test_another_tenants_photo_does_not_wait_for_2000(idle_fleet: Fleet, world: World, photo: Path) -> None:
    fleet, many = idle_fleet, MANY[idle_fleet.settings.queue]
    with open_site(world.alpha) as site:
        received(site, world.alpha_album, photo, many)
    while relay_once():
        pass
    assert ports().queue.depth().waiting == many
    fleet.start("bridge", "worker")
    fleet.until(lambda: started(world.alpha) > 2 * WORKERS, "the many are being worked on")
    with open_site(world.beta) as site:
        received(site, world.beta_album, photo, 1)
    assert relay_once() == 1
    sent = ports().clock.now()
    fleet.until(lambda: len(starts(world.beta)) == 1, "the one photo has been made")
    (began,) = starts(world.beta)
    # One may lie ready for each worker, and each worker may take one while the bridge turns round.
    assert len([each for each in starts(world.alpha) if sent <= each < began]) <= 2 * WORKERS
