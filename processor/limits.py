"""What one job may take of a machine, and how that is enforced.

Fences of different kinds, since each has a gap that the next closes: a timer raises `TimeLimit` between two steps of
Python; the kernel ends a process that burns CPU in a decoder that never returns (RLIMIT_CPU); and one that wants too
much memory or writes too large a file gets an error from the kernel (RLIMIT_DATA, RLIMIT_FSIZE). Programs that a step
starts bring narrower limits of their own (`processor/sandbox.py`).
"""

import math
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from infra.settings import GIB, Settings
from tenants.catalog import Kind


class TimeLimit(Exception):
    """The job ran longer than its kind may. Not the file's proven fault: it is tried again."""


@dataclass(frozen=True)
class Limits:
    """`seconds` by the clock; `cpu_seconds`, `memory` and `file_size` (bytes) are the job's own process's."""

    seconds: int
    cpu_seconds: int
    memory: int
    file_size: int


def of_kind(kind: Kind, settings: Settings) -> Limits:
    """A photo of the largest allowed size takes well below a minute; a video about its own length a rung."""
    if kind is Kind.VIDEO:
        seconds = 1800 + 4 * settings.max_video_seconds
        return Limits(seconds, cpu_seconds=seconds, memory=3 * GIB, file_size=4 * settings.max_upload_bytes)
    return Limits(seconds=300, cpu_seconds=300, memory=3 * GIB, file_size=1 * GIB)


def longest(settings: Settings) -> int:
    """Seconds after which RQ may give up on any job."""
    return of_kind(Kind.VIDEO, settings).seconds + 60


@contextmanager
def confined(limits: Limits) -> Iterator[None]:
    """Run the body within `limits`. Main thread only. Raises `TimeLimit`; over memory, `MemoryError` and the like."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = math.ceil(used.ru_utime + used.ru_stime) + limits.cpu_seconds
    wanted = {
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_DATA: _data_now() + limits.memory,
        resource.RLIMIT_FSIZE: limits.file_size,
    }
    before = {which: resource.getrlimit(which) for which in wanted}
    try:
        for which, soft in wanted.items():
            hard = before[which][1]
            resource.setrlimit(which, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
        with _timer(limits.seconds):
            yield
    finally:
        for which, pair in before.items():
            resource.setrlimit(which, pair)


def _data_now() -> int:
    """Bytes of private memory that the process has (proc(5), statm): the limit is for what a job adds to that."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


@contextmanager
def _timer(seconds: int) -> Iterator[None]:
    """Raises `TimeLimit` in the body after `seconds`. RQ's own timer, on the same signal, goes on afterwards."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeLimit(f"over {seconds} seconds")

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(1.0, left - (time.monotonic() - began)))
