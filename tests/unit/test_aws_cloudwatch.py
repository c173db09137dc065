"""The CloudWatch adapter beyond the port's contract: outages, restarts, forks, bounds. Moto's server stands behind."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from aws_double import DoubleClock
from botocore.stub import Stubber
from conftest import ManualClock
from structlog.testing import capture_logs

from infra.aws.client import Clients
from infra.aws.cloudwatch import CloudWatchMetrics
from infra.aws.spool import FILE_BYTES, Spool

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"
MINUTE = timedelta(minutes=1)


class Bench:
    """Adapters that share one spool and one namespace, as the processes of a machine do."""

    def __init__(self, folder: Path, namespace: str, url: str, clock: ManualClock) -> None:
        self.folder, self.namespace, self.url, self.clock = folder, namespace, url, clock
        self._made: list[tuple[CloudWatchMetrics, Clients]] = []

    def make(self, url: str = "", *, interval: float = 3600, max_bytes: int = 1 << 22) -> CloudWatchMetrics:
        clients = Clients(region="us-east-1", endpoint_url=url or self.url)
        spool = Spool(self.folder, max_bytes=max_bytes)
        metrics = CloudWatchMetrics(clients, self.clock, spool, namespace=self.namespace, interval=interval)
        self._made.append((metrics, clients))
        return metrics

    def total(self, metrics: CloudWatchMetrics, name: str = "n", **dimensions: str) -> float:
        return metrics.total(name, self.clock.now() - timedelta(days=20), self.clock.now() + MINUTE, **dimensions)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*"))

    def close(self) -> None:
        for metrics, clients in self._made:
            metrics.close()
            clients.close()


@pytest.fixture
def bench(tmp_path: Path, unique: str, moto_clock: DoubleClock, keys: None, clock: ManualClock) -> Iterator[Bench]:
    bench = Bench(tmp_path / "spool", unique, moto_clock.url, clock)
    yield bench
    bench.close()


def test_an_outage_costs_nothing_and_is_made_up_for_after_a_restart(bench: Bench) -> None:
    away = bench.make(NOWHERE)
    began = time.monotonic()
    for _ in range(100):
        away.put("n", 1, tenant="a")
    assert time.monotonic() - began < 1
    assert not away.flush()
    back = bench.make()
    assert bench.total(back, tenant="a") == 100
    assert bench.files() == []


def test_the_thread_sends_without_being_asked(bench: Bench) -> None:
    bench.make(interval=0.1).put("n", 3)
    deadline = time.monotonic() + 20
    while bench.files() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert bench.files() == []
    assert bench.total(bench.make()) == 3


def test_threads_and_processes_put_at_once(bench: Bench) -> None:
    adapters = [bench.make() for _ in range(3)]
    threads = [
        threading.Thread(target=lambda metrics=metrics: [metrics.put("n", 1) for _ in range(200)])  # type: ignore[misc]
        for metrics in adapters * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for metrics in adapters:
        metrics.flush()
    assert bench.total(adapters[0]) == 1200
    assert bench.files() == []


def test_a_live_process_keeps_its_file(bench: Bench) -> None:
    busy, other = bench.make(), bench.make()
    busy.put("n", 1)
    assert bench.total(other) == 0
    assert bench.total(busy) == 1


def test_values_that_cloudwatch_refuses_are_not_kept(bench: Bench) -> None:
    metrics = bench.make()
    for value in (float("nan"), float("inf"), -1e120):
        metrics.put("n", value)
    metrics.put("n", 2, unit="Furlongs")
    assert bench.total(metrics) == 2


def test_what_cloudwatch_calls_wrong_is_dropped_and_what_it_forbids_waits(bench: Bench) -> None:
    metrics = bench.make()
    metrics.put("n", 1)
    with Stubber(metrics._cloudwatch) as answers:
        answers.add_client_error("put_metric_data", "AccessDenied", http_status_code=403)
        assert not metrics.flush()
        assert len(bench.files()) == 1
        answers.add_client_error("put_metric_data", "InvalidParameterValue", http_status_code=400)
        assert metrics.flush()
    assert bench.files() == []


def test_what_is_older_than_two_weeks_is_dropped(bench: Bench) -> None:
    away = bench.make(NOWHERE)
    away.put("n", 1)
    bench.clock.sleep(14 * 24 * 3600 + 60)
    away.put("n", 2)
    away.close()
    assert bench.total(bench.make()) == 2
    assert bench.files() == []


def test_the_oldest_goes_when_the_spool_is_full(bench: Bench) -> None:
    away = bench.make(NOWHERE, max_bytes=3 * FILE_BYTES)
    line = "x" * 1000
    with capture_logs() as said:
        for number in range(1000):
            away.put(f"n{number}", 1, tenant=line)
    assert sum(path.stat().st_size for path in bench.files()) <= 3 * FILE_BYTES + 2000
    assert "metrics dropped, the spool is full" in {one["event"] for one in said}
    back = bench.make()
    away.close()
    assert bench.total(back, "n0") == 0
    assert bench.total(back, "n999") == 1


def test_a_large_file_is_sent_in_parts_and_goes_on_where_it_stopped(bench: Bench, tmp_path: Path) -> None:
    metrics = bench.make()
    for number in range(1500):
        metrics.put(f"n{number}", 1, tenant="a")
    metrics._spool.release()
    (path,) = bench.files()
    path.rename(path.with_name(path.name.replace("-0", "-1")))  # As if the first request had been answered before.
    metrics.flush()
    assert bench.files() == []
    assert bench.total(metrics, "n0") == 0
    assert bench.total(metrics, "n1499", tenant="a") == 1


def test_a_line_cut_off_by_a_sudden_end_spoils_no_other(bench: Bench) -> None:
    metrics = bench.make()
    metrics.put("n", 1)
    metrics._spool.append(b"not a record")
    metrics._spool.release()
    with bench.files()[0].open("ab") as file:
        file.write(b'["n",1,"Cou')
    assert bench.total(metrics) == 1


PUTS = """
import os, sys
from pathlib import Path
from infra.aws.client import Clients
from infra.aws.cloudwatch import CloudWatchMetrics
from infra.aws.spool import Spool
from infra.local.clock import SystemClock

_, url, folder, namespace, ending = sys.argv
clients = Clients(region="us-east-1", endpoint_url=url)
metrics = CloudWatchMetrics(clients, SystemClock(), Spool(Path(folder), max_bytes=1 << 20), namespace=namespace)
metrics.put("n", 1)
"""

FORKS = """
metrics.flush()  # The client has connections that the children must not share.
children = []
for number in range(4):
    child = os.fork()
    if not child:
        metrics.put("n", 10)
        os._exit(0)  # As RQ ends a job.
    children.append(child)
metrics.put("n", 1)
for child in children:
    os.waitpid(child, 0)
"""

KILLED = """
import signal
os.kill(os.getpid(), signal.SIGKILL)
"""


def run(bench: Bench, code: str) -> int:
    arguments = [bench.url, str(bench.folder), bench.namespace, ""]
    ran = subprocess.run([sys.executable, "-c", PUTS + code, *arguments], cwd=ROOT, timeout=60, check=False)
    return ran.returncode


@pytest.fixture
def today(bench: Bench) -> None:
    bench.clock.time = DoubleClock("").now()


@pytest.mark.usefixtures("today")
def test_the_end_of_a_process_sends_what_it_has(bench: Bench) -> None:
    assert run(bench, "") == 0
    assert bench.files() == []
    assert bench.total(bench.make()) == 1


@pytest.mark.usefixtures("today")
def test_forked_children_that_end_at_once_lose_nothing(bench: Bench) -> None:
    assert run(bench, FORKS) == 0
    assert bench.total(bench.make()) == 42
    assert bench.files() == []


@pytest.mark.usefixtures("today")
def test_a_killed_process_loses_nothing(bench: Bench) -> None:
    assert run(bench, KILLED) == -signal.SIGKILL
    assert bench.total(bench.make()) == 1
    assert bench.files() == []


def test_a_disk_without_room_is_not_the_callers_problem(bench: Bench, tmp_path: Path) -> None:
    bench.folder.write_text("not a folder")
    bench.make().put("n", 1)
    bench.folder.unlink()


def test_it_sends_from_gevents_native_threads(keys: None, moto_clock: DoubleClock, tmp_path: Path, unique: str) -> None:
    """As in the upload server: `put` is called in a native thread beside the event loop, which then waits for work."""
    program = f"""
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.threadpool import ThreadPool
from pathlib import Path
from infra.aws.client import Clients
from infra.aws.cloudwatch import CloudWatchMetrics
from infra.aws.spool import Spool
from infra.local.clock import SystemClock

folder = Path({str(tmp_path / "spool")!r})
clients = Clients(region="us-east-1", endpoint_url={moto_clock.url!r})
metrics = CloudWatchMetrics(
    clients, SystemClock(), Spool(folder, max_bytes=1 << 20), namespace={unique!r}, interval=0.1
)
ThreadPool(1).spawn(metrics.put, "x", 1.0).get()
with gevent.Timeout(30):
    while any(folder.iterdir()):
        gevent.sleep(0.05)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
