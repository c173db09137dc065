"""From a tus upload to the rendered page: four fleets on all of AWS's services, and with each of them alone.

Behind them: moto's server, corrected (SQS, CloudWatch, S3); Ceph's radosgw, where S3 comes alone; our fake SimpleDB; a
real PostgreSQL. Who has no such service is embedded, and shares one machine's data folder.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import radosgw
import simpledb_server
from aws_double import DoubleClock
from behind import REGION, s3_bucket
from conftest import World
from faults.fleet_groups import SECRET, Groups, until_ready
from postgres import Server as Postgres
from simpledb_fake import FakeSimpleDb
from sqlalchemy import select
from stack import eventually
from upload_server import ticket

import wsgi
from infra.settings import Settings, load
from tenants.catalog import Rendition
from tenants.db import db
from tenants.names import original_key
from tenants.scope import Site, open_site, ports
from tenants.usage import UsageEvent

pytestmark = [pytest.mark.faults, pytest.mark.postgres]

ALL = ("s3", "sqs", "simpledb", "cloudwatch", "postgres")
KEYS = {"AWS_ACCESS_KEY_ID": "double", "AWS_SECRET_ACCESS_KEY": "double", "VITRINE_AWS_REGION": REGION}


@dataclass
class Deployment:
    """`settings` are for looking: those of all fleets together. Their core app's context is open."""

    groups: Groups
    settings: Settings
    services: tuple[str, ...]
    world: World


@pytest.fixture(scope="module")
def simpledb() -> Iterator[str]:
    with simpledb_server.running(FakeSimpleDb()) as url:
        yield url


@pytest.fixture(params=[ALL, *((service,) for service in ALL)], ids=lambda services: " + ".join(services) + " on AWS")
def deployment(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    unique: str,
    populated: tuple[Path, World],
    populated_postgres: tuple[str, World],
) -> Iterator[Deployment]:
    services: tuple[str, ...] = request.param
    world = (populated_postgres if "postgres" in services else populated)[1]
    with variables(services, request, unique) as given, pytest.MonkeyPatch.context() as patch:
        if "postgres" not in services:
            shutil.copyfile(populated[0], tmp_path / "vitrine.db")
        for name, value in {name: value for each in given.values() for name, value in each.items()}.items():
            patch.setenv(name, value)
        settings = load(data_dir=tmp_path, secret_key=SECRET)
        app = wsgi.core(settings)
        with app.app_context():
            try:
                with Groups(tmp_path, given, apart=services == ALL) as groups:
                    yield Deployment(groups, settings, services, world)
            finally:
                db.session.remove()
                db.engine.dispose()


@contextmanager
def variables(
    services: tuple[str, ...], request: pytest.FixtureRequest, name: str
) -> Iterator[dict[str, dict[str, str]]]:
    """The variables of each service, while it is there."""
    get = request.getfixturevalue
    moto: DoubleClock = get("moto_clock")
    given: dict[str, dict[str, str]] = {}
    if "sqs" in services:
        given["sqs"] = {"VITRINE_QUEUE": "sqs", "VITRINE_SQS_QUEUE": name, "AWS_ENDPOINT_URL_SQS": moto.url, **KEYS}
    if "simpledb" in services:
        chosen = {"VITRINE_MEDIA_METADATA": "simpledb", "VITRINE_SIMPLEDB_DOMAIN": name}
        given["simpledb"] = {**chosen, "AWS_ENDPOINT_URL_SIMPLEDB": get("simpledb"), **KEYS}
    if "cloudwatch" in services:
        chosen = {"VITRINE_METRICS": "cloudwatch", "VITRINE_CLOUDWATCH_NAMESPACE": name}
        given["cloudwatch"] = {**chosen, "AWS_ENDPOINT_URL_CLOUDWATCH": moto.url, **KEYS}
    postgres: Postgres | None = get("postgres") if "postgres" in services else None
    if postgres is not None:
        database = postgres.copy(get("populated_postgres")[0])
        given["postgres"] = {"VITRINE_DATABASE_URL": postgres.urls(database)["database_url"]}
    if "s3" in services:
        get("keys")
        url = moto.url if services == ALL else radosgw.shared().url
        chosen = {"VITRINE_BLOBS": "s3", "VITRINE_S3_BUCKET": name, "VITRINE_S3_RENDITION_CLASS": "REDUCED_REDUNDANCY"}
        given["s3"] = {**chosen, "AWS_ENDPOINT_URL_S3": url, **KEYS}
        with s3_bucket(url, name, versioned=services == ALL):
            yield given
    else:
        yield given
    if postgres is not None:
        postgres.drop(database)


def test_from_an_upload_to_the_page(deployment: Deployment, camera_photo: Path, photo: Path, film: Path) -> None:
    groups, world = deployment.groups, deployment.world
    began = ports().clock.now()
    bearer = ticket(SECRET, world.alpha, world.alpha_album)
    files = {groups.upload(bearer, path): path for path in (camera_photo, photo, film)}

    until_ready(groups, world.alpha, list(files))
    with open_site(world.alpha) as site:
        originals_are_what_was_sent(site, files)
        every_rendition_is_served(groups, site, list(files))
        camera = next(asset_id for asset_id, path in files.items() if path == camera_photo)
        assert site.media.get(camera)["camera"] == "Fujifilm X100 V"
        assert "Fujifilm X100 V" in groups.get(f"/a/alpha-shows/{camera}").decode()
        counted = set(site.session.scalars(select(UsageEvent.id).where(UsageEvent.asset_id.in_(files))))
        kinds = {path: ["photo"] for path in (camera_photo, photo)} | {film: ["video_in", "video_out"]}
        assert counted == {
            f"{kind}:{asset_id}" for asset_id, path in files.items() for kind in ("upload", "stored", *kinds[path])
        }

    def measured() -> bool:
        end = ports().clock.now() + timedelta(minutes=1)
        kinds = ("photo", "video")
        totals = [ports().metrics.total("job.seconds", began, end, tenant=world.alpha, kind=kind) for kind in kinds]
        return min(totals) > 0

    eventually(measured)
    nothing_is_elsewhere(deployment, world.alpha)


def originals_are_what_was_sent(site: Site, files: dict[str, Path]) -> None:
    for asset_id, path in files.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with site.blobs.open(original_key(site.tenant_id, asset_id, digest)) as stream:
            assert hashlib.file_digest(stream, "sha256").hexdigest() == digest


def every_rendition_is_served(groups: Groups, site: Site, ids: list[str]) -> None:
    """The album and each asset's page name media that the web fleet serves, whole, as they are stored."""
    pages = ["/a/alpha-shows", *(f"/a/alpha-shows/{asset_id}" for asset_id in ids)]
    served: dict[str, bytes] = {}
    for page in pages:
        served |= groups.media_on(page)
    found = {tuple(address.split("/", 6)[4:]): body for address, body in served.items()}
    rows = site.session.execute(
        select(Rendition.asset_id, Rendition.generation, Rendition.name, Rendition.size).where(
            Rendition.asset_id.in_(ids)
        )
    ).all()
    assert {asset_id for asset_id, *_ in found} == set(ids)
    sizes = {(asset_id, str(generation), name): size for asset_id, generation, name, size in rows}
    assert {where: len(body) for where, body in found.items()} == {where: sizes[where] for where in found}
    for (asset_id, generation, name), body in found.items():
        with site.blobs.open(f"t/{site.tenant_id}/r/{asset_id}/{generation}/{name}") as stream:
            assert stream.read() == body
    assert {Path(name).suffix for *_, name in found} >= {".jpg", ".avif", ".m3u8"}


def nothing_is_elsewhere(deployment: Deployment, tenant: str) -> None:
    """What a service keeps is there and nowhere else; a fleet opens no database but its own."""
    folder, services = deployment.settings.data_dir, deployment.services
    databases = {path.name for path in folder.rglob("vitrine.db*")}
    opened = {
        file.path
        for stack in deployment.groups.stacks.values()
        for process in stack.processes()
        for file in process.open_files()
        if "vitrine.db" in file.path
    }
    stored = [path for path in folder.rglob("blobs/**/*") if path.is_file()]
    if "postgres" in services:
        assert databases == set() == opened
    else:
        assert opened
    assert bool(stored) is ("s3" not in services)
    if "s3" in services:
        assert list(ports().intake.leftovers("t/")) == []
        keys = [info.key for info in ports().blobs.list(f"t/{tenant}/r/")]
        assert keys and {storage_class(deployment, key) for key in keys} == {"REDUCED_REDUNDANCY"}


def storage_class(deployment: Deployment, key: str) -> str:
    bucket = ports().blobs._bucket  # type: ignore[attr-defined]  # S3Blobs; the class is no part of the port
    return str(bucket.head(key)["StorageClass"])
