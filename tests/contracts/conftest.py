"""Each port's suite runs against every adapter; a fixture's parameter says what stands behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ManualClock
from sqlalchemy import Engine

from infra.local.files import FileBlobs
from infra.local.tables import metadata
from infra.sql import connect


@pytest.fixture(params=["files: a real folder"])
def store(tmp_path: Path) -> FileBlobs:
    """A BlobStore that is an Intake as well."""
    return FileBlobs(tmp_path / "blobs")


@pytest.fixture(params=["sql: SQLite on disk"])
def engine(tmp_path: Path, clock: ManualClock) -> Iterator[Engine]:
    engine = connect(f"sqlite:///{tmp_path / 'contract.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()
