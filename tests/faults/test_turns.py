"""One tenant has queued 2,000 photos; another tenant's single photo starts within the time of two jobs per worker.

Real processes, on the embedded queue and on SQS (moto's server, corrected, stands behind it: how fair SQS itself is, it
does not show).
"""

import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import aws_double
import pytest
from conftest import World
from faults.processor_fleet import Fleet, RedisServer
from sqlalchemy import delete, func, insert, select

import wsgi
from infra.settings import load
from tenants import catalog, outbox
from tenants.catalog import UNFINISHED, Asset
from tenants.db import db
from tenants.names import new_id, original_key
from tenants.outbox import Outbox
from tenants.scope import Site, open_site, ports

pytestmark = pytest.mark.faults

MANY = 2000
WORKERS = 2


@pytest.fixture(scope="module", params=["sql: SQLite on disk", "sqs: moto server, corrected"])
def tenants_fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World]
) -> Iterator[Fleet]:
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
            running = Fleet(app, app.extensions["vitrine.settings"], redis, folder / "faults")
            yield running
            running.stop()
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
    for asset_id in ids:
        site.blobs.put(original_key(site.tenant_id, asset_id, digest), photo, content_type="image/jpeg")
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
        return site.session.scalar(select(func.count()).select_from(Asset).where(Asset.fence > 0)) or 0


def waiting_rows(tenant: str) -> int:
    with open_site(tenant) as site:
        return site.session.scalar(select(func.count()).select_from(Outbox)) or 0


def test_another_tenants_photo_does_not_wait_for_2000(tenants_fleet: Fleet, world: World, photo: Path) -> None:
    fleet = tenants_fleet
    with open_site(world.alpha) as site:
        many = received(site, world.alpha_album, photo, MANY)
    fleet.until(lambda: waiting_rows(world.alpha) == 0 and started(world.alpha) > WORKERS, "all are in the queue")
    assert ports().queue.depth().waiting > MANY - 500
    with open_site(world.beta) as site:
        (one,) = received(site, world.beta_album, photo, 1)
    fleet.until(lambda: waiting_rows(world.beta) == 0, "the relay has sent it", seconds=10)
    before = started(world.alpha)
    fleet.until(lambda: started(world.beta) == 1, "the one photo has been started", seconds=30)
    # One may lie ready for each worker, and each worker may take one while the bridge turns round.
    assert started(world.alpha) - before <= 2 * WORKERS
    fleet.until(lambda: fleet.assets(world.beta, [one])[0].ready_at is not None, "it is ready")
    give_up_on(world.alpha, many)


def give_up_on(tenant: str, ids: list[str]) -> None:
    """The rest is of no interest: without their assets the bridge deletes the messages."""
    with open_site(tenant) as site:
        assert (site.session.scalar(select(func.count()).select_from(Asset).where(UNFINISHED)) or 0) > len(ids) / 2
        site.session.execute(delete(catalog.Rendition))
        site.session.execute(delete(Asset).where(Asset.id.in_(ids)))
        site.session.commit()
