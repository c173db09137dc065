"""What stands behind the contract tests: each suite runs once for each name here, which says so in the test's id.

With `VITRINE_TEST_AWS=1` and credentials in the environment the suites run against AWS as well (`make test-aws`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from infra.local.tables import metadata
from infra.sql import connect

TEST_AWS = os.environ.get("VITRINE_TEST_AWS") == "1"
REGION = os.environ.get("AWS_DEFAULT_REGION", "eu-central-1") if TEST_AWS else "us-east-1"

SQL = ["sql: SQLite on disk"]
SQS = ["sqs: moto server, corrected", *(["sqs: AWS"] if TEST_AWS else [])]


@contextmanager
def sql_engine(stand: str, folder: Path) -> Iterator[Engine]:
    """An engine with the embedded adapters' tables, empty."""
    engine = connect(f"sqlite:///{folder / 'contract.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()
