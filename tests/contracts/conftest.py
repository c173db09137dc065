"""Each port's suite runs against every adapter; a fixture's parameter says what stands behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from behind import S3, SQL, s3_bucket, sql_engine
from sqlalchemy import Engine

from infra.aws.s3 import S3Store
from infra.local.files import FileBlobs
from infra.ports import BlobStore, Intake


class Store(BlobStore, Intake, Protocol):
    """Both ports at once: what is sealed in one is read from the other."""


@pytest.fixture(params=["files: a real folder", *S3])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param.startswith("files"):
        yield FileBlobs(tmp_path / "blobs")
        return
    endpoint = None
    if request.param != "s3: AWS":
        request.getfixturevalue("keys")
        endpoint = request.getfixturevalue("moto_clock").url
    with s3_bucket(endpoint, request.getfixturevalue("unique"), versioned="versioned" in request.param) as bucket:
        yield S3Store(bucket)


@pytest.fixture(params=SQL)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sql_engine(request.param, tmp_path) as engine:
        yield engine
