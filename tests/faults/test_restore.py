"""docs/backup.md, rehearsed: a dump by the owner and a versioned bucket, both damaged, become the site that was.

PostgreSQL is a real server, dumped and restored by its own programs as RDS's are; the bucket is on moto's server,
corrected (`tests/aws_double.py`), which keeps versions as S3 does.
"""

import hashlib
import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from aws_double import DoubleClock
from behind import s3_bucket
from conftest import World
from postgres import OWNER
from postgres import Server as Postgres
from sqlalchemy.engine import make_url

from infra.aws.undelete import undelete
from infra.settings import Settings

pytestmark = [pytest.mark.faults, pytest.mark.postgres]


@pytest.fixture
def database() -> str:
    return "postgres"


def _program(name: str) -> Path:
    return sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))[-1]


def _content(dsn: str) -> dict[str, str]:
    """A digest of every row of every table of the schema."""
    with psycopg.connect(dsn) as connection:
        names = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found = {}
        for name in sorted(names):
            rows = connection.execute(f'SELECT t::text FROM "{name}" t ORDER BY 1').fetchall()  # type: ignore[arg-type]  # noqa: S608
            found[name] = hashlib.sha256(repr(rows).encode()).hexdigest()
        return found


def test_a_dump_becomes_the_same_site_with_the_same_walls(
    settings: Settings, world: World, postgres: Postgres, tmp_path: Path
) -> None:
    lost = str(make_url(settings.database_url).database)
    administrator = postgres.dsn("postgres", lost)
    before = _content(administrator)
    dump = tmp_path / "vitrine.dump"
    # The owner is bound by the policies like everyone (FORCE), so its dump says for whom it asks.
    environment = {**os.environ, "PGOPTIONS": "-c vitrine.across=on"}
    subprocess.run(
        [_program("pg_dump"), "-Fc", "--enable-row-security", "-f", dump, postgres.dsn(OWNER, lost)],
        check=True,
        env=environment,
    )
    with psycopg.connect(administrator) as connection:
        connection.execute("TRUNCATE tenants CASCADE")
    assert _content(administrator) != before

    found = postgres.copy("template1")
    try:
        subprocess.run(
            [_program("pg_restore"), "--exit-on-error", "-d", postgres.dsn("postgres", found), dump], check=True
        )
        assert _content(postgres.dsn("postgres", found)) == before
        _keeps_apart(postgres, found, world)
    finally:
        postgres.drop(found)


def _keeps_apart(postgres: Postgres, database: str, world: World) -> None:
    # Row-level security came along: who says no tenant sees none.
    serving = str(postgres.urls(database)["database_url"])
    with psycopg.connect(serving) as connection:
        assert connection.execute("SELECT count(*) FROM albums").fetchone() == (0,)
        connection.execute("SELECT set_config('vitrine.tenant', %s, true)", (world.beta,))
        assert connection.execute("SELECT count(*) FROM albums").fetchone() == (1,)


def test_deleted_originals_come_back_from_their_versions(moto_clock: DoubleClock, keys: None, unique: str) -> None:
    with s3_bucket(moto_clock.url, unique, versioned=True) as bucket:
        client = bucket.client
        for key, body in (("t/1/a", b"one"), ("t/1/b", b"two"), ("t/2/c", b"three")):
            client.put_object(Bucket=unique, Key=key, Body=body)
        client.delete_object(Bucket=unique, Key="t/1/a")
        client.delete_object(Bucket=unique, Key="t/2/c")
        version = client.list_object_versions(Bucket=unique, Prefix="t/1/b")["Versions"][0]["VersionId"]
        client.delete_object(Bucket=unique, Key="t/1/b", VersionId=version)
        assert undelete(client, unique, "t/1/") == ["t/1/a"]
        assert client.get_object(Bucket=unique, Key="t/1/a")["Body"].read() == b"one"
        left = client.list_objects_v2(Bucket=unique)["Contents"]
        assert [entry["Key"] for entry in left] == ["t/1/a"]  # What the app removed by version stays removed.
        assert undelete(client, unique, "t/1/") == []
