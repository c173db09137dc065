"""Each port's setting chooses its adapter, and one machine loads nothing of AWS."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.aws.simpledb import SimpleDbKeyValue
from infra.aws.simpledb_domains import GivenDomains, NamedDomains
from infra.local.keyvalue import SqlKeyValue
from infra.local.metrics import SqlMetrics
from infra.local.notices import NoNotices
from infra.local.queue import SqlQueue
from infra.settings import load
from infra.sql import connect
from infra.wiring import build

ROOT = Path(__file__).parents[2]
AWS = {
    "queue": ("sqs", "SqsQueue"),
    "media_metadata": ("simpledb", "SimpleDbKeyValue"),
    "metrics": ("cloudwatch", "CloudWatchMetrics"),
    "notices": ("ec2", "Ec2Notices"),
}
NAMES = {"aws_region": "us-east-1", "sqs_queue": "jobs", "simpledb_domain": "media"}
FIELDS = {"media_metadata": "media"}


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("alone", AWS)
def test_each_adapter_for_aws_can_be_chosen_alone(alone: str, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'wiring.db'}")
    ports = build(load(data_dir=tmp_path, **NAMES, **{alone: AWS[alone][0]}), engine)
    found = {name: type(getattr(ports, FIELDS.get(name, name))).__name__ for name in AWS}
    embedded = {"queue": SqlQueue, "media_metadata": SqlKeyValue, "metrics": SqlMetrics, "notices": NoNotices}
    expected = {name: adapter.__name__ for name, adapter in embedded.items()}
    assert found == {**expected, alone: AWS[alone][1]}
    engine.dispose()


@pytest.mark.usefixtures("keys")
def test_simpledbs_domains_are_a_list_or_made_by_name(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'wiring.db'}")
    chosen = {"data_dir": tmp_path, "media_metadata": "simpledb", "aws_region": "us-east-1"}
    for given, kind in (({"simpledb_domain": "media"}, NamedDomains), ({"simpledb_domains": "abc,def"}, GivenDomains)):
        media = build(load(**chosen, **given), engine).media
        assert isinstance(media, SimpleDbKeyValue)
        assert type(media._domains) is kind
    engine.dispose()


def test_one_machine_loads_nothing_of_aws(tmp_path: Path) -> None:
    code = (
        "import sys, wsgi; wsgi.create_app(); sys.exit(bool({'boto3', 'botocore', 'infra.aws'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"VITRINE_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0
