"""The RQ workers of one machine: a process a core, each of which forks for every job.

A job has a process of its own because it decodes hostile media: what crashes, leaks or runs wild in there ends with
it, and the kernel's limits (`limits`) hold for it alone. See docs/adr/0020.
"""

import contextlib
import ctypes
import importlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

import structlog
from redis import ConnectionPool, Redis, RedisError
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import Worker
from rq.worker_pool import WorkerPool
from rq.worker_registration import register

from processor.dispatch import BEAT_SECONDS, QUEUE, Dispatch, MediaJob
from tenants.db import db
from tenants.heartbeat import Heartbeat

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1  # prctl(2)
_COLD_SECONDS = 5
_REDIS_PAUSE_MAX = 10.0
_PRELOADED = ("numpy", "PIL.Image", "simplejpeg", "pillow_heif", "av", "processor.steps.sniff")


class MediaWorker(Worker):
    """RQ's forking worker, made to need nothing from Redis but jobs."""

    def subscribe(self) -> None:
        """Take no commands from Redis. Without the thread that RQ starts for them, forking is safe as well."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say all about this worker again, not only the time: Redis may have forgotten it (FLUSHALL, a restart)."""
        super().heartbeat(timeout, pipeline)
        connection: Any = pipeline if pipeline is not None else self.connection
        connection.hset(self.key, mapping={**self.serialize(), "state": self.get_state()})
        register(self, connection)

    def execute_job(self, job: Job, queue: Queue) -> None:
        super().execute_job(job, queue)
        with contextlib.suppress(RedisError):  # The bridge looks by itself twice a second.
            Dispatch(self.connection).wake()

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """In the forked child: its parent's database connections are not its own."""
        db.engine.dispose(close=False)
        super().main_work_horse(job, queue)


class MediaPool(WorkerPool):
    """Keeps `count` workers alive, and stops within `grace` seconds.

    On SIGTERM or SIGINT each worker finishes the job that it has; a job that is not finished when the grace ends is
    killed, which its lease and its message survive. A second signal ends the grace at once.
    """

    def __init__(self, connection: Redis, count: int, *, grace: float, job_class: type[Job] = MediaJob) -> None:
        super().__init__(
            [QUEUE],
            connection,
            num_workers=count,
            worker_class=MediaWorker,
            serializer=JSONSerializer,
            job_class=job_class,
        )
        self._grace = grace
        self._deadline: float | None = None
        self._heartbeat = Heartbeat("worker")

    def check_workers(self, respawn: bool = True) -> None:
        """RQ calls it on every turn of the pool's loop, to start again what has died."""
        self._heartbeat.beat()
        super().check_workers(respawn)

    def get_worker_process(self, name: str, burst: bool, _sleep: float = 0, logging_level: str = "INFO") -> BaseProcess:
        connect = partial(_reconnect, self._connection_class, self._pool_class, self._pool_kwargs)
        return get_context("fork").Process(
            target=work,
            args=(name, self._queue_names, connect, self.job_class, burst),
            kwargs={"parent": os.getpid()},
            name=f"media worker {name}",
        )

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        again = self._deadline is not None
        self._deadline = time.monotonic() + (0 if again else self._grace)
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def all_workers_have_stopped(self) -> bool:
        stopped = bool(super().all_workers_have_stopped())
        over = time.monotonic() - self._deadline if self._deadline is not None else -1.0
        if not stopped and over >= 0:
            log.warning("abandoning what is still running", workers=self.number_of_active_workers)
            for data in list(self.worker_dict.values()):
                # RQ takes the second signal as the order to kill the job as well.
                self.stop_worker(data, signal.SIGTERM if over < _COLD_SECONDS else signal.SIGKILL)
        return stopped


def work(
    name: str,
    queues: Iterable[str],
    connect: Callable[[], Redis],
    job_class: type[Job],
    burst: bool,
    *,
    parent: int,
) -> None:
    """One worker, in the process that the pool forked for it."""
    _end_with(parent)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # Until RQ's own are in place, the pool's must not run here.
    db.engine.dispose(close=False)
    connection = connect()
    _await(connection)
    worker = MediaWorker(
        list(queues),
        name=name,
        connection=connection,
        job_class=job_class,
        serializer=JSONSerializer,
        worker_ttl=BEAT_SECONDS + 15,  # RQ beats 15 seconds before its time to live is over.
        job_monitoring_interval=BEAT_SECONDS,
        log_job_description=False,
    )
    try:
        # A job says for itself how it ended; RQ adds only what went wrong.
        worker.work(burst=burst, with_scheduler=False, logging_level="WARNING")
    except RedisError as error:
        log.warning("Redis went away, a new worker waits for it", error=str(error))


def _await(connection: Redis) -> None:
    pause = 0.5
    while True:
        try:
            connection.ping()
            return
        except RedisError as error:
            pause = min(pause * 2, _REDIS_PAUSE_MAX)
            log.warning("Redis is away", error=str(error), again_in=pause)
            time.sleep(pause)


def _end_with(parent: int) -> None:
    """Have the kernel stop this worker when the pool dies, so that a new pool does not come on top of the old."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit("the worker pool is gone")


def _reconnect(client: Any, connection_class: Any, arguments: dict[str, Any]) -> Redis:
    made: Redis = client(connection_pool=ConnectionPool(connection_class=connection_class, **arguments))
    return made


def preload() -> None:
    """Import in the parent what every job needs, so that a job starts in milliseconds.

    Not libvips: importing it initialises it, and that must happen after the fork. Nor is anything here let start
    threads of its own: there is a worker for each core already.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    logging.getLogger("pyvips").setLevel(logging.WARNING)  # It reports every operation.
    for name in _PRELOADED:
        importlib.import_module(name)
