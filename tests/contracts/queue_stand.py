"""A queue for its contract tests, and how another process makes the same one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from behind import REGION, SQL, sql_engine
from conftest import ManualClock

from infra.aws.client import Clients
from infra.aws.sqs import SqsQueue
from infra.local.clock import SystemClock
from infra.local.queue import SqlQueue
from infra.ports import Clock, JobQueue

MAX_RECEIVES = 3

SQL_ELSEWHERE = """
from infra.local.queue import SqlQueue
from infra.sql import connect
queue = SqlQueue(connect({url!r}), SystemClock(), max_receives=3)
"""

SQS_ELSEWHERE = """
import datetime
from infra.aws.client import Clients
from infra.aws.sqs import SqsQueue
clients = Clients(region={region!r}, endpoint_url={endpoint!r})
queue = SqsQueue(clients, SystemClock(), name={name!r}, max_receives=3, least_wait={wait!r})
"""


@dataclass(frozen=True)
class Stand:
    """An empty queue, its clock, and the Python that makes `queue` in another process, on the machine's clock."""

    queue: JobQueue
    clock: Clock
    elsewhere: str


@contextmanager
def queue_stand(request: pytest.FixtureRequest, tmp_path: Path, unique: str) -> Iterator[Stand]:
    """What `request.param`, one of `behind.SQL` and `behind.SQS`, names."""
    if request.param in SQL:
        with sql_engine(request.param, tmp_path) as engine:
            clock = ManualClock()
            url = engine.url.render_as_string(hide_password=False)
            queue = SqlQueue(engine, clock, max_receives=MAX_RECEIVES)
            yield Stand(queue, clock, SQL_ELSEWHERE.format(url=url))
        return
    if request.param == "sqs: AWS":
        endpoint, time, least_wait = None, SystemClock(), timedelta(seconds=1)
    else:
        request.getfixturevalue("keys")
        time = request.getfixturevalue("moto_clock")
        endpoint, least_wait = time.url, timedelta()
    with sqs_queue(endpoint, time, unique, least_wait) as queue:
        yield Stand(queue, time, SQS_ELSEWHERE.format(region=REGION, endpoint=endpoint, name=unique, wait=least_wait))


@contextmanager
def sqs_queue(endpoint: str | None, clock: Clock, name: str, least_wait: timedelta) -> Iterator[SqsQueue]:
    clients = Clients(region=REGION, endpoint_url=endpoint)
    queue = SqsQueue(clients, clock, name=name, max_receives=MAX_RECEIVES, least_wait=least_wait)
    yield queue
    sqs = clients.get("sqs")
    for each in (name, f"{name}-bulk", f"{name}-dead"):
        if sqs.list_queues(QueueNamePrefix=each).get("QueueUrls"):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=each)["QueueUrl"])
    clients.close()
