"""Each port's suite runs against every adapter; a fixture's parameter says what stands behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from behind import SQL, sql_engine
from sqlalchemy import Engine

from infra.local.files import FileBlobs


@pytest.fixture(params=["files: a real folder"])
def store(tmp_path: Path) -> FileBlobs:
    """A BlobStore that is an Intake as well."""
    return FileBlobs(tmp_path / "blobs")


@pytest.fixture(params=SQL)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sql_engine(request.param, tmp_path) as engine:
        yield engine
