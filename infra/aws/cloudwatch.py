"""Metrics on CloudWatch, by way of a spool on this machine's disk."""

import atexit
import json
import math
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations
from typing import Any

import structlog
from botocore.exceptions import ClientError

from infra.aws import native
from infra.aws.batches import batches
from infra.aws.client import Clients, mapped
from infra.aws.spool import Spool, Taken
from infra.errors import Unavailable
from infra.ports import Clock, check_dimensions

log = structlog.get_logger(__name__)

# PutMetricData takes 1,000 metrics, each with 150 values, and 1 MB.
_MAX_METRICS = 1000
_MAX_VALUES = 150
_MAX_QUERIES = 500  # Of GetMetricData.
_MAX_BYTES = 900_000
_OLDEST = timedelta(days=14)
_LARGEST = 2.0**360
_UNITS = {"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Bits", "Percent"}
_UNITS |= {"Count", "Bytes/Second", "Count/Second", "None"}
# A request that CloudWatch calls wrong is wrong for ever. Anything else, a missing right included, may pass.
_WRONG = {
    "InvalidParameterValue",
    "InvalidParameterCombination",
    "MissingParameter",
    "ValidationError",
    "InvalidFormat",
}
_PAUSE_MAX = 300.0

Key = tuple[str, tuple[tuple[str, str], ...], str, int]


class CloudWatchMetrics:
    """Implements `infra.ports.Metrics`.

    `put` appends a line to the spool and returns. A thread of each process that puts sends what it can take from the
    spool every `interval` seconds, its own lines and those of processes that have ended; so does the process's end. A
    batch whose answer is lost is sent, and counted, again.

    CloudWatch does not add up over dimensions: it knows a metric only by its exact set of them. So each value is
    published under every subset of its dimensions, of which there are at most 2^3, and `total` asks for one of these.
    Values of a minute are one datum; `total` widens its window to whole minutes.
    """

    def __init__(self, clients: Clients, clock: Clock, spool: Spool, *, namespace: str, interval: float = 30.0) -> None:
        self._clients = clients
        self._clock = clock
        self._spool = spool
        self._namespace = namespace
        self._interval = interval
        self._forked()
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._starting = native.lock()
        self._sending = native.lock()
        self._stop = threading.Event()
        self._started = False

    def put(
        self, name: str, value: float, at: datetime | None = None, /, *, unit: str = "Count", **dimensions: str
    ) -> None:
        """Keep one value for PutMetricData."""
        check_dimensions(dimensions)
        if not math.isfinite(value) or abs(value) > _LARGEST:
            log.warning("metric lost, CloudWatch takes no such value", metric=name, value=value)
            return
        record = [name, value, unit if unit in _UNITS else "None", dimensions, (at or self._clock.now()).timestamp()]
        try:
            self._spool.append(json.dumps(record, separators=(",", ":")).encode())
            self._start()
        except (OSError, RuntimeError) as error:  # No room; no new thread while the interpreter shuts down.
            log.warning("metric lost or late", metric=name, error=str(error))

    def total(self, name: str, start: datetime, end: datetime, **dimensions: str) -> float:
        """GetMetricData with the statistic Sum, after sending what this process has."""
        check_dimensions(dimensions)
        self.flush()
        return math.fsum(self._sums(name, start, end, [dimensions])[0])

    def totals(self, name: str, start: datetime, end: datetime, by: str, among: Sequence[str]) -> dict[str, float]:
        """GetMetricData, 500 metrics a request; each metric that is asked for costs, whether it exists or not."""
        self.flush()
        found: dict[str, float] = {}
        for part in range(0, len(among), _MAX_QUERIES):
            some = among[part : part + _MAX_QUERIES]
            sums = self._sums(name, start, end, [{by: value} for value in some])
            found.update((value, math.fsum(sums[number])) for number, value in enumerate(some) if sums[number])
        return found

    def _sums(
        self, name: str, start: datetime, end: datetime, wanted: Sequence[Mapping[str, str]]
    ) -> list[list[float]]:
        """The sums of each period, for each set of dimensions."""
        period = _period(self._clock.now() - start)
        first = math.floor(start.timestamp() / period) * period
        last = math.ceil(end.timestamp() / period) * period
        sums: list[list[float]] = [[] for _ in wanted]
        if last <= first:
            return sums
        with mapped():
            pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[self._query(number, name, one, period) for number, one in enumerate(wanted)],
                StartTime=datetime.fromtimestamp(first, tz=UTC),
                EndTime=datetime.fromtimestamp(last, tz=UTC),
            )
            for page in pages:
                for found in page["MetricDataResults"]:
                    sums[int(found["Id"][1:])] += found["Values"]
        return sums

    def _query(self, number: int, name: str, dimensions: Mapping[str, str], period: int) -> dict[str, Any]:
        metric = {
            "Namespace": self._namespace,
            "MetricName": name,
            "Dimensions": _dimensions(dimensions.items()),
        }
        return {"Id": f"q{number}", "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}}

    def forget(self, **dimensions: str) -> int:
        """`infra.ports.ForgettingMetrics`: what waits on this machine's disk. What was sent before expires there."""
        self.flush()  # Most often that leaves nothing.
        return self._spool.remove(lambda line: _is_about(line, dimensions))

    def remembered(self, **dimensions: str) -> int:
        """`infra.ports.ForgettingMetrics`."""
        self._spool.release()
        return sum(_is_about(line, dimensions) for taken in self._spool.take() for line in taken.lines)

    # -- sending --

    def flush(self) -> bool:
        """Send what can be taken from the spool; False if CloudWatch is away and some of it stays there."""
        self._spool.release()
        with self._sending:
            try:
                for taken in self._spool.take():
                    self._send(taken)
            except (Unavailable, ClientError, OSError) as error:
                log.warning("CloudWatch is away, metrics wait on disk", error=str(error))
                return False
        return True

    def _send(self, taken: Taken) -> None:
        """PutMetricData until all of a file is sent. Its parts are the same each time, so a later try can go on."""
        parts = batches(_data(taken.lines), _size, most=_MAX_METRICS, max_bytes=_MAX_BYTES)
        for number, part in enumerate(parts):
            if number < taken.done:
                continue
            oldest = (self._clock.now() - _OLDEST).timestamp()
            timely = [datum for datum in part if datum["Timestamp"].timestamp() > oldest]
            if len(timely) < len(part):
                log.warning("metrics dropped, CloudWatch takes none that old", data=len(part) - len(timely))
            if timely:
                self._put_metric_data(timely)
            taken.advance()
        taken.remove()

    def _put_metric_data(self, data: list[dict[str, Any]]) -> None:
        try:
            with mapped():
                self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=data)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _WRONG:
                raise
            log.error("metrics dropped, CloudWatch refused them", data=len(data), error=str(error))

    @property
    def _cloudwatch(self) -> Any:
        # Short: it also runs at the end of a process. boto3 compresses what is larger than 10 kB.
        return self._clients.get(
            "cloudwatch", connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}
        )

    # -- the thread --

    def _start(self) -> None:
        if self._started:
            return
        with self._starting:
            if not self._started:
                native.start(partial(self._run, self._stop))
                self._started = True
                atexit.register(self.close)

    def _run(self, stop: threading.Event) -> None:
        pause = self._interval
        while not stop.wait(pause):
            try:
                sent = self.flush()
            except Exception:
                log.exception("metrics wait on disk")
                sent = False
            pause = self._interval if sent else min(pause * 2, max(_PAUSE_MAX, self._interval))

    def close(self) -> None:
        """Stop the thread and send once more."""
        atexit.unregister(self.close)
        self._stop.set()
        self.flush()  # Which waits for the thread to be done with what it sends.


def _is_about(line: bytes, dimensions: Mapping[str, str]) -> bool:
    try:
        about = json.loads(line)[3]
    except (ValueError, IndexError, KeyError, TypeError):
        return False
    return isinstance(about, dict) and dimensions.items() <= about.items()


def _data(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """The data of PutMetricData: a metric, a minute and its values. Lines that are no records are left out."""
    counted: dict[Key, Counter[float]] = {}
    for line in lines:
        try:
            name, value, unit, dimensions, at = json.loads(line)
        except ValueError:
            log.warning("an unreadable metric was dropped")
            continue
        minute = int(at // 60) * 60
        for subset in _subsets(sorted(dimensions.items())):
            counted.setdefault((name, subset, unit, minute), Counter())[value] += 1
    return [datum for key, values in counted.items() for datum in _datum(key, values)]


def _subsets(dimensions: list[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], ...]]:
    for size in range(len(dimensions) + 1):
        yield from combinations(dimensions, size)


def _datum(key: Key, values: Counter[float]) -> Iterator[dict[str, Any]]:
    name, dimensions, unit, minute = key
    counts = list(values.items())
    for start in range(0, len(counts), _MAX_VALUES):
        some = counts[start : start + _MAX_VALUES]
        yield {
            "MetricName": name,
            "Dimensions": _dimensions(dimensions),
            "Timestamp": datetime.fromtimestamp(minute, tz=UTC),
            "Unit": unit,
            "Values": [value for value, _ in some],
            "Counts": [float(count) for _, count in some],
        }


def _dimensions(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(pairs)]


def _size(datum: dict[str, Any]) -> int:
    """Bytes of a datum in a request, generously estimated."""
    return 200 + len(json.dumps(datum["Dimensions"])) + 40 * len(datum["Values"])


def _period(age: timedelta) -> int:
    """The finest that CloudWatch still has: minutes for 15 days, 5 minutes for 63, hours for 455."""
    return 60 if age < timedelta(days=15) else 300 if age < timedelta(days=63) else 3600
