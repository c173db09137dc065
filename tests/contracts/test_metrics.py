"""The Metrics contract (infra/ports.py)."""

from datetime import timedelta

import pytest
from conftest import ManualClock
from sqlalchemy import Engine

from infra.local.metrics import SqlMetrics
from infra.local.tables import metadata
from infra.ports import Metrics


@pytest.fixture
def metrics(engine: Engine, clock: ManualClock) -> Metrics:
    return SqlMetrics(engine, clock)


def test_totals_by_window_and_dimension(metrics: Metrics, clock: ManualClock) -> None:
    start = clock.now()
    metrics.put("bytes", 5, unit="Bytes", tenant="a", fleet="web")
    metrics.put("bytes", 7, unit="Bytes", tenant="b", fleet="web")
    clock.sleep(60)
    metrics.put("bytes", 11, unit="Bytes", tenant="a", fleet="upload")
    end = clock.now()
    assert metrics.total("bytes", start, end) == 12
    assert metrics.total("bytes", start, end + timedelta(seconds=1)) == 23
    assert metrics.total("bytes", start, end + timedelta(seconds=1), tenant="a") == 16
    assert metrics.total("bytes", start, end, tenant="a", fleet="upload") == 0
    assert metrics.total("other", start, end) == 0


def test_an_outage_does_not_stop_the_work(metrics: Metrics, engine: Engine, clock: ManualClock) -> None:
    metadata.drop_all(engine)
    metrics.put("bytes", 1)
