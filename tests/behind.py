"""What stands behind the contract tests: each suite runs once for each name here, which says so in the test's id.

With `VITRINE_TEST_AWS=1` and credentials in the environment the suites run against AWS as well (`make test-aws`).
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import radosgw
from postgres import empty_engine
from sqlalchemy import Engine

from infra.aws.client import Clients
from infra.aws.s3_bucket import Bucket
from infra.local.tables import metadata
from infra.sql import connect

TEST_AWS = os.environ.get("VITRINE_TEST_AWS") == "1"
REGION = os.environ.get("AWS_DEFAULT_REGION", "eu-central-1") if TEST_AWS else "us-east-1"

SQL = ["sql: SQLite on disk", "sql: PostgreSQL"]
# radosgw 16 knows If-None-Match of PutObject in plain buckets only, and none of CompleteMultipartUpload (adr/0110).
_PLAIN = ["s3: moto server, corrected", *(["s3: AWS"] if TEST_AWS else [])]
_VERSIONED = [f"{server}, versioned bucket" for server in _PLAIN]
S3 = [*_VERSIONED, "s3: radosgw"]
S3_CONDITIONAL = [*_PLAIN, *_VERSIONED]
S3_SESSIONS = ["s3: radosgw", *(["s3: AWS"] if TEST_AWS else [])]
S3_BUCKETS = [*S3_CONDITIONAL, "s3: radosgw", "s3: radosgw, versioned bucket"]
CLOUDWATCH = ["cloudwatch: moto server, corrected", *(["cloudwatch: AWS"] if TEST_AWS else [])]
SIMPLEDB = ["simpledb: our fake server", *(["simpledb: AWS"] if TEST_AWS else [])]
SQS = ["sqs: moto server, corrected", *(["sqs: AWS"] if TEST_AWS else [])]


@contextmanager
def s3_bucket(
    endpoint: str | None, name: str, *, versioned: bool = False, classes: Sequence[tuple[str, str]] = ()
) -> Iterator[Bucket]:
    """An empty bucket, which goes with all it holds."""
    clients = Clients(region=REGION, endpoint_url=endpoint)
    bucket = Bucket(clients, name, classes)
    where = {} if REGION == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    bucket.client.create_bucket(Bucket=name, **where)
    if versioned:
        bucket.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield bucket
    finally:
        bucket.erase("")
        bucket.client.delete_bucket(Bucket=name)
        clients.close()


def s3_endpoint(stand: str, request: pytest.FixtureRequest) -> str | None:
    """Where the server is, started if need be; None for AWS itself."""
    if "AWS" in stand:
        return None
    request.getfixturevalue("keys")
    if "radosgw" in stand:
        return radosgw.shared().url
    return str(request.getfixturevalue("moto_clock").url)


def s3_stand(
    stand: str, request: pytest.FixtureRequest, *, classes: Sequence[tuple[str, str]] = ()
) -> AbstractContextManager[Bucket]:
    """`s3_bucket` on one of the names above."""
    name = request.getfixturevalue("unique")
    return s3_bucket(s3_endpoint(stand, request), name, versioned="versioned" in stand, classes=classes)


@contextmanager
def sql_engine(stand: str, folder: Path) -> Iterator[Engine]:
    """An engine with the embedded adapters' tables, empty."""
    if stand == "sql: PostgreSQL":
        with empty_engine(metadata) as engine:
            yield engine
        return
    engine = connect(f"sqlite:///{folder / 'contract.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()
