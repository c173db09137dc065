"""The Metrics contract (infra/ports/metrics.py)."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from behind import CLOUDWATCH, REGION, SQL, sql_engine
from conftest import ManualClock

from infra.aws.client import Clients
from infra.aws.cloudwatch import CloudWatchMetrics
from infra.aws.spool import Spool
from infra.local.clock import SystemClock
from infra.local.metrics import SqlMetrics
from infra.local.tables import metadata
from infra.ports import Metrics

MINUTE = timedelta(minutes=1)
AWS_SETTLES = 240.0  # Seconds until what was put is surely found.


@pytest.fixture(params=[*SQL, *CLOUDWATCH])
def metrics(request: pytest.FixtureRequest, tmp_path: Path, unique: str, clock: ManualClock) -> Iterator[Metrics]:
    if request.param in SQL:
        with sql_engine(request.param, tmp_path) as engine:
            yield SqlMetrics(engine, clock)
        return
    if request.param == "cloudwatch: AWS":
        endpoint = None
        clock.time = SystemClock().now().replace(second=0, microsecond=0) - 10 * MINUTE
    else:
        request.getfixturevalue("keys")
        endpoint = request.getfixturevalue("moto_clock").url
    clients = Clients(region=REGION, endpoint_url=endpoint)
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    metrics = CloudWatchMetrics(clients, clock, spool, namespace=unique, interval=3600)
    yield metrics
    metrics.close()
    clients.close()


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> float:
    """How long what was put may take to be found, in seconds."""
    return AWS_SETTLES if "AWS" in request.node.name else 0.0


def total(
    metrics: Metrics, expected: float, patience: float, name: str, start: datetime, end: datetime, **of: str
) -> None:
    until = time.monotonic() + patience
    while (found := metrics.total(name, start, end, **of)) != expected and time.monotonic() < until:
        time.sleep(5)
    assert found == expected


def test_totals_by_window_and_dimension(metrics: Metrics, clock: ManualClock, patience: float) -> None:
    start = clock.now()
    metrics.put("bytes", 5, unit="Bytes", tenant="a", fleet="web")
    metrics.put("bytes", 7, unit="Bytes", tenant="b", fleet="web")
    clock.sleep(60)
    metrics.put("bytes", 11, unit="Bytes", tenant="a", fleet="upload")
    end = clock.now()
    total(metrics, 12, patience, "bytes", start, end)
    total(metrics, 23, patience, "bytes", start, end + timedelta(seconds=1))
    total(metrics, 16, patience, "bytes", start, end + timedelta(seconds=1), tenant="a")
    assert metrics.total("bytes", start, end, tenant="a", fleet="upload") == 0
    assert metrics.total("other", start, end) == 0
    assert metrics.total("bytes", start, start) == 0


def test_every_subset_of_dimensions_has_its_total(metrics: Metrics, clock: ManualClock, patience: float) -> None:
    start, end = clock.now(), clock.now() + MINUTE
    for value, tenant, fleet, kind in (
        (1, "a", "web", "x"),
        (2, "a", "web", "y"),
        (4, "b", "web", "x"),
        (8, "a", "up", "x"),
    ):
        metrics.put("count", value, tenant=tenant, fleet=fleet, kind=kind)
    metrics.put("count", 0.5)
    total(metrics, 15.5, patience, "count", start, end)
    total(metrics, 11, patience, "count", start, end, tenant="a")
    total(metrics, 7, patience, "count", start, end, fleet="web")
    total(metrics, 9, patience, "count", start, end, kind="x", tenant="a")
    total(metrics, 2, patience, "count", start, end, kind="y", tenant="a", fleet="web")
    assert metrics.total("count", start, end, tenant="c") == 0


def test_equal_values_add_up(metrics: Metrics, clock: ManualClock, patience: float) -> None:
    for number in range(400):
        metrics.put("seconds", number % 200, unit="Seconds", tenant="a")
    total(metrics, 2 * sum(range(200)), patience, "seconds", clock.now(), clock.now() + MINUTE)


@pytest.mark.parametrize(
    "dimensions", [{"a": "1", "b": "2", "c": "3", "d": "4"}, {"a": ""}, {"a": " "}, {"a": "ü"}, {"a": "x" * 1025}]
)
def test_dimensions_that_no_adapter_takes(metrics: Metrics, clock: ManualClock, dimensions: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="dimension"):
        metrics.put("bytes", 1, **dimensions)
    with pytest.raises(ValueError, match="dimension"):
        metrics.total("bytes", clock.now(), clock.now(), **dimensions)


@pytest.mark.parametrize("stand", SQL)
def test_a_database_that_is_away_does_not_stop_the_work(stand: str, tmp_path: Path, clock: ManualClock) -> None:
    with sql_engine(stand, tmp_path) as engine:
        metadata.drop_all(engine)
        SqlMetrics(engine, clock).put("bytes", 1)
