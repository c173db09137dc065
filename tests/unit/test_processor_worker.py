"""The worker's parent: what it may and may not have done before it forks, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.settings import Settings

ROOT = Path(__file__).parents[2]


def environment(settings: Settings, redis_url: str) -> dict[str, str]:
    return {**os.environ, "VITRINE_DATA_DIR": str(settings.data_dir), "VITRINE_REDIS_URL": redis_url}


def test_libvips_is_not_initialised_before_the_fork(settings: Settings, redis_url: str) -> None:
    code = "import sys, wsgi; from processor.worker import preload; wsgi.create_app(); preload(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(settings, redis_url),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    assert "processor.jobs" in loaded
    assert "pyvips" not in loaded


@pytest.fixture
def pool(settings: Settings, redis_url: str) -> Iterator[psutil.Process]:
    """`flask worker` with the password-like address in its environment, two workers up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--count", "2"],
        cwd=ROOT,
        env=environment(settings, redis_url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        parent = psutil.Process(process.pid)
        until(lambda: len(parent.children()) == 2)
        yield parent
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_killed_worker_is_replaced_and_a_killed_pool_takes_its_workers_along(
    pool: psutil.Process, redis_url: str
) -> None:
    victim, survivor = pool.children()
    victim.kill()
    until(lambda: victim.pid not in {child.pid for child in pool.children()} and len(pool.children()) == 2)
    assert survivor in pool.children()
    workers = pool.children()
    assert not any(redis_url in part for process in (pool, *workers) for part in process.cmdline())
    pool.send_signal(signal.SIGKILL)
    until(lambda: not any(alive(worker) for worker in workers))


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
