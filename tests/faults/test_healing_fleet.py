"""Renditions vanish under a running processor fleet of real processes: pages answer, and each is made again once.

First on files; then on S3 and SQS, behind which stands moto's server, and S3's report is what starts it.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import aws_double
import pytest
from conftest import World
from faults.conftest import Upload, running_fleet
from faults.processor_fleet import Fleet
from PIL import Image
from visits import visitor

import wsgi
from infra.aws.client import Clients
from processor import losses
from tenants.catalog import AssetState
from tenants.db import db
from tenants.delivery import by_openness
from tenants.names import rendition_key
from tenants.scope import open_site, ports

pytestmark = pytest.mark.faults

BUCKET = "vitrine-heal"


@pytest.fixture(scope="module", params=["files", "S3 and SQS"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where this run of the module keeps its blobs; the fleet's settings are in the environment."""
    if request.param == "files":
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch, aws_double.running() as (url, _):
        for name, value in {
            "VITRINE_BLOBS": "s3",
            "VITRINE_S3_BUCKET": BUCKET,
            "VITRINE_S3_RENDITION_CLASS": "REDUCED_REDUNDANCY",
            "VITRINE_QUEUE": "sqs",
            "VITRINE_SQS_QUEUE": "jobs",
            "VITRINE_LOSSES": "sqs",
            "VITRINE_SQS_LOST_QUEUE": "lost",
            "VITRINE_AWS_REGION": "us-east-1",
            "VITRINE_AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "double",
            "AWS_SECRET_ACCESS_KEY": "double",
        }.items():
            patch.setenv(name, value)
        clients = Clients(region="us-east-1", endpoint_url=url)
        clients.get("s3").create_bucket(Bucket=BUCKET)
        clients.get("sqs").create_queue(QueueName="lost")
        clients.close()
        yield request.param


@pytest.fixture(scope="module")
def fleet(store: str, tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World]) -> Iterator[Fleet]:
    """One for each store."""
    yield from running_fleet(tmp_path_factory.mktemp("fleet"), populated)


@pytest.fixture(scope="module")
def wide_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wide enough for several renditions."""
    path = tmp_path_factory.mktemp("wide") / "wide.jpg"
    Image.effect_mandelbrot((1000, 600), (-2.2, -1.2, 0.8, 1.2), 40).convert("RGB").save(path)
    return path


def report(key: str) -> None:
    """What S3 sends when it has lost an object."""
    sqs = ports().losses._sqs  # type: ignore[attr-defined]  # The adapter's own client is S3 here.
    record = {"eventName": "ReducedRedundancyLostObject", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    url = sqs.get_queue_url(QueueName="lost")["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [record]}))


def test_lost_renditions_come_back(
    fleet: Fleet, fleet_upload: Upload, world: World, wide_photo: Path, store: str
) -> None:
    seen, reported = ids = fleet_upload(2, wide_photo)
    fleet.until_settled(world.alpha, ids)
    web = wsgi.make_web(fleet.settings)
    with open_site(world.alpha) as site:
        base = f"/m/{site.generation_token(by_openness(world.alpha_album), seen, 1)}/{seen}/1/"
        whole = visitor(web).get(base + "w640.jpg").data
        for asset_id in ids:
            site.blobs.delete(rendition_key(world.alpha, asset_id, 1, "w640.jpg"))

    answers = [visitor(web).get(base + "w640.jpg") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert visitor(web).get("/a/alpha-shows").status_code == 200
    if store == "files":
        with open_site(world.alpha) as site:
            assert losses.look(site) == 1
    else:
        report(rendition_key(world.alpha, reported, 1, "w640.jpg"))
        assert losses.hear(timedelta(seconds=1)) == 1

    fleet.until(
        lambda: all(asset.generation == 2 for asset in fleet.assets(world.alpha, ids)), "both have a new generation"
    )
    fleet.until_settled(world.alpha, ids)
    assert [asset.fence for asset in fleet.assets(world.alpha, ids)] == [2, 2], "one job each"
    assert {asset.state for asset in fleet.assets(world.alpha, ids)} == {AssetState.READY}
    fleet.assert_ready_exactly_once(world.alpha, ids)
    with open_site(world.alpha) as site:
        new = f"/m/{site.generation_token(by_openness(world.alpha_album), seen, 2)}/{seen}/2/"
    assert visitor(web).get(new + "w640.jpg").data == whole
    with web.app_context():
        db.engine.dispose()
