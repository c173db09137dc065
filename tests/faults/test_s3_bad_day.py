"""All fleets while S3 refuses or fails one request in five: moto's server, corrected, behind our fake fault proxy."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aws_double import DoubleClock
from behind import REGION, s3_bucket
from conftest import World
from fault_proxy import FaultProxy, faulty
from faults.fleet_groups import SECRET, Groups, until_ready
from sqlalchemy import select
from upload_server import ticket

import wsgi
from infra.aws.s3_bucket import Bucket
from infra.settings import load
from processor import reconcile
from tenants.catalog import Asset, Rendition
from tenants.db import db
from tenants.scope import open_site
from uploader import sweep

pytestmark = pytest.mark.faults


@dataclass
class BadDay:
    """`bucket` is S3 as it really is, past the proxy; so does the core app whose context is open see it."""

    groups: Groups
    proxy: FaultProxy
    bucket: Bucket


@pytest.fixture
def day(
    tmp_path: Path, populated: tuple[Path, World], moto_clock: DoubleClock, keys: None, unique: str
) -> Iterator[BadDay]:
    shutil.copyfile(populated[0], tmp_path / "vitrine.db")
    settings = load(
        data_dir=tmp_path,
        secret_key=SECRET,
        blobs="s3",
        s3_bucket=unique,
        aws_region=REGION,
        aws_endpoint_url=moto_clock.url,
    )
    with s3_bucket(moto_clock.url, unique, versioned=True) as bucket, faulty(moto_clock.url, one_in=0) as proxy:
        given = {
            "VITRINE_BLOBS": "s3",
            "VITRINE_S3_BUCKET": unique,
            "VITRINE_AWS_REGION": REGION,
            "VITRINE_MAX_RECEIVES": "20",
            "AWS_ENDPOINT_URL_S3": proxy.url,
            "AWS_ACCESS_KEY_ID": "double",
            "AWS_SECRET_ACCESS_KEY": "double",
        }
        app = wsgi.core(settings)
        with app.app_context():
            with Groups(tmp_path, {"s3": given}, apart=False) as groups:
                yield BadDay(groups, proxy, bucket)
            db.session.remove()
            db.engine.dispose()


def test_all_is_as_on_a_good_day(day: BadDay, world: World, camera_photo: Path, photo: Path, film: Path) -> None:
    """The same files twice, on a good day and on a bad one: the same bytes, and nothing is left over."""
    files = (camera_photo, photo, film)
    bearer = ticket(SECRET, world.alpha, world.alpha_album)

    def brought_in() -> list[str]:
        ids = [day.groups.upload(bearer, path) for path in files]
        until_ready(day.groups, world.alpha, ids)
        return ids

    good = brought_in()
    day.proxy.one_in, day.proxy.seen = 5, 0
    bad = brought_in()
    assert {"refuse", "fail after", "break"} <= day.proxy.hit.keys()
    assert sum(day.proxy.hit.values()) > day.proxy.seen / 10
    assert [stored(day.bucket, world.alpha, asset_id) for asset_id in bad] == [
        stored(day.bucket, world.alpha, asset_id) for asset_id in good
    ]
    day.groups.stop()
    swept(day.bucket, world.alpha)


def stored(bucket: Bucket, tenant: str, asset_id: str) -> dict[str, str]:
    """SHA-256 of the asset's original and of each rendition of the generation that is shown, by its name."""
    with open_site(tenant) as site:
        asset = site.session.scalars(select(Asset).where(Asset.id == asset_id)).one()
        shown = f"t/{tenant}/r/{asset_id}/{asset.generation}/"
    found = {}
    for prefix in (f"t/{tenant}/o/{asset_id}/", shown):
        for info in bucket.list(prefix):
            body = bucket.client.get_object(Bucket=bucket.name, Key=info.key)["Body"].read()
            found[info.key.removeprefix(prefix)] = hashlib.sha256(body).hexdigest()
    assert len(found) >= 3
    return found


def swept(bucket: Bucket, tenant: str) -> None:
    """After one sweep of uploads and renditions S3 holds one version of what the rows say, and nothing else."""
    now = timedelta()
    sweep.sweep_all()
    report = reconcile.run(reconcile.Graces(idle=now, superseded=now, orphan=now, undo=timedelta(days=30)))
    assert report.requeued == report.failed == 0
    with open_site(tenant) as site:
        rows = site.session.execute(select(Rendition.asset_id, Rendition.generation, Rendition.name)).all()
        originals = {f"t/{tenant}/o/{asset.id}/{asset.sha256}" for asset in site.session.scalars(select(Asset))}
    renditions = {f"t/{tenant}/r/{asset_id}/{generation}/{name}" for asset_id, generation, name in rows}
    versions = bucket.client.list_object_versions(Bucket=bucket.name)
    assert sorted(each["Key"] for each in versions.get("Versions", [])) == sorted(originals | renditions)
    assert versions.get("DeleteMarkers", []) == []
    assert bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []
