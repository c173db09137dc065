"""One job's share of a machine, enforced by the kernel."""

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.settings import load
from processor.limits import Limits, TimeLimit, confined, longest, of_kind
from tenants.catalog import Kind

WIDE = {"seconds": 60, "cpu_seconds": 60, "memory": 8 << 30, "file_size": 1 << 30}


def limits(**narrower: int) -> Limits:
    return Limits(**{**WIDE, **narrower})


def exit_code(body: Callable[[], object]) -> int | None:
    """Of a child that runs `body`: what a test must not do to itself."""

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        body()
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(30)
    return child.exitcode


def test_time_is_limited() -> None:
    with pytest.raises(TimeLimit), confined(limits(seconds=1)):
        time.sleep(10)


def test_memory_is_limited() -> None:
    with confined(limits(memory=512 << 20)), pytest.raises(MemoryError):
        bytearray(1 << 30)


def test_file_size_is_limited(tmp_path: Path) -> None:
    with (
        confined(limits(file_size=1000)),
        pytest.raises(OSError, match="too large"),
        (tmp_path / "f").open("wb", buffering=0) as file,
    ):
        for _ in range(3):
            file.write(bytes(900))
    assert (tmp_path / "f").stat().st_size <= 1000


def test_cpu_is_limited_even_where_python_never_gets_a_turn() -> None:
    def spin() -> None:
        with confined(limits(cpu_seconds=1)):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            while True:
                pass

    assert exit_code(spin) == -signal.SIGXCPU


def test_everything_is_as_before_afterwards() -> None:
    which = (resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)
    before = [resource.getrlimit(one) for one in which]
    handler = signal.getsignal(signal.SIGALRM)
    with confined(limits()):
        assert [resource.getrlimit(one) for one in which] != before
    assert [resource.getrlimit(one) for one in which] == before
    assert signal.getsignal(signal.SIGALRM) is handler


def test_no_timer_is_left_behind() -> None:
    before = signal.setitimer(signal.ITIMER_REAL, 0)  # pytest-timeout's
    try:
        with confined(limits()):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)


def test_an_outer_timer_goes_on() -> None:
    """RQ has its own on the same signal."""
    rung: list[int] = []
    handler = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    before = signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        with confined(limits(seconds=5)):
            pass
        assert 28 < signal.getitimer(signal.ITIMER_REAL)[0] <= 30
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)
    assert rung == []


def test_rq_gives_up_later_than_any_job(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path)
    assert all(of_kind(kind, settings).seconds < longest(settings) for kind in (Kind.PHOTO, Kind.VIDEO))
