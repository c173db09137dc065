"""Each port's suite runs against every adapter; a fixture's parameter says what stands behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from behind import S3, S3_BUCKETS, SQL, s3_stand, sql_engine
from sqlalchemy import Engine

from infra.aws.s3 import S3Store
from infra.aws.s3_bucket import Bucket
from infra.local.files import FileBlobs
from infra.ports import BlobStore, Intake
from infra.wiring import RENDITIONS


class Store(BlobStore, Intake, Protocol):
    """Both ports at once: what is sealed in one is read from the other."""


@pytest.fixture(params=["files: a real folder", *S3])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param.startswith("files"):
        yield FileBlobs(tmp_path / "blobs")
        return
    with s3_stand(request.param, request) as bucket:
        yield S3Store(bucket)


@pytest.fixture(params=S3_BUCKETS)
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    """An empty bucket in which renditions are of reduced redundancy."""
    with s3_stand(request.param, request, classes=[(RENDITIONS, "REDUCED_REDUNDANCY")]) as bucket:
        yield bucket


@pytest.fixture
def s3(bucket: Bucket) -> S3Store:
    return S3Store(bucket)


@pytest.fixture(params=SQL)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sql_engine(request.param, tmp_path) as engine:
        yield engine
