"""A processor fleet of real processes, kept alive as a supervisor would, and the means to kill it at a given point."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
from flask import Flask
from loopback import free_port, wait_for_port
from redis import Redis
from sqlalchemy import select

from infra.settings import Settings
from tenants.catalog import Asset, AssetState, Rendition
from tenants.outbox import media_job
from tenants.scope import open_site, ports
from tenants.usage import UsageEvent

ROOT = Path(__file__).parents[2]
COMMANDS = {"relay": [], "bridge": [], "worker": ["--grace", "1"]}


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        wait_for_port(self.port)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def flush(self) -> None:
        with Redis.from_url(self.url) as client:
            client.flushall()


class Fleet:
    """`settings` are those of the processes; `app` looks at the same database from the test's.

    `names` are the `COMMANDS` that are started at once; `start` may start others later.
    """

    def __init__(
        self, app: Flask, settings: Settings, redis: RedisServer, faults: Path, names: Iterable[str] = COMMANDS
    ) -> None:
        self.app, self.settings, self.redis, self._faults = app, settings, redis, faults
        faults.mkdir()
        self._log_path = faults.with_suffix(".log")
        self._log = self._log_path.open("wb")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start(*names)

    def start(self, *names: str) -> None:
        self.processes |= {name: self._start(name) for name in names}

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "VITRINE_DATA_DIR": str(self.settings.data_dir),
            "VITRINE_REDIS_URL": self.redis.url,
            "VITRINE_VISIBILITY": str(self.settings.visibility),
            "VITRINE_MAX_RECEIVES": str(self.settings.max_receives),
            "VITRINE_FAULTS": str(self._faults),
        }

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", name, *COMMANDS[name]]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=self._log, stderr=subprocess.STDOUT)

    def tend(self) -> None:
        """Start again what has died."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                self.processes[name] = self._start(name)

    def restart(self, name: str, *, within: float) -> None:
        """SIGTERM, and it must be gone in that many seconds."""
        self.processes[name].terminate()
        self.processes[name].wait(within)
        self.tend()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)
        self._log.close()

    # -- faults --

    def arm(self, *points: str, what: signal.Signals = signal.SIGKILL) -> None:
        """The next process that passes one of the points sends itself the signal."""
        for point in points:
            self._faults.joinpath(point.replace("/", "-")).write_text(what.name)

    def arm_pause(self, point: str) -> None:
        """The next process that passes `point` waits there until a signal reaches it."""
        self._faults.joinpath(point.replace("/", "-")).write_text("PAUSE")

    def armed(self) -> set[str]:
        """Points that nobody has passed yet."""
        return {path.name for path in self._faults.iterdir() if not path.name.startswith(".")}

    def struck(self, point: str) -> int | None:
        """The process that the signal of `point` struck, if one has come by."""
        marks = list(self._faults.glob(f".{point}.*"))
        return int(marks[0].suffix[1:]) if marks else None

    def disarm(self) -> None:
        for path in self._faults.iterdir():
            path.unlink()

    @contextlib.contextmanager
    def stopped_at(self, point: str) -> Iterator[psutil.Process]:
        """A process that has stopped (SIGSTOP) at `point`, for as long as the body runs."""
        self.until(lambda: self.struck(point) is not None, f"something passes {point}")
        pid = self.struck(point)
        assert pid is not None
        process = psutil.Process(pid)
        self.until(lambda: process.status() == psutil.STATUS_STOPPED, f"{pid} stops")
        try:
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    # -- looking --

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 280) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.tend()
            if time.monotonic() > deadline:
                log = self._log_path.read_text(errors="replace")
                raise AssertionError(f"not in {seconds} s: {what}\n{log[-6000:]}")
            time.sleep(0.1)

    def assets(self, tenant: str, ids: list[str]) -> list[Asset]:
        with open_site(tenant) as site:
            found = list(site.session.scalars(select(Asset).where(Asset.id.in_(ids)).order_by(Asset.id)))
            site.session.expunge_all()
        return found

    def settled(self, tenant: str, ids: list[str]) -> bool:
        ready = all(asset.state is AssetState.READY for asset in self.assets(tenant, ids))
        depth = ports().queue.depth()
        return ready and depth.waiting + depth.in_flight == 0

    def until_settled(self, tenant: str, ids: list[str], seconds: float = 280) -> None:
        """Every asset is READY and no message is left."""
        self.until(lambda: self.settled(tenant, ids), "all assets are ready and the queue is empty", seconds)
        assert ports().queue.dead() == []

    def assert_ready_exactly_once(self, tenant: str, ids: list[str]) -> None:
        """Counted once, and pages find every rendition that the database promises."""
        with open_site(tenant) as site:
            counted = list(site.session.scalars(select(UsageEvent.asset_id).where(UsageEvent.asset_id.in_(ids))))
            assert sorted(filter(None, counted)) == sorted(ids)
            for asset in site.session.scalars(select(Asset).where(Asset.id.in_(ids))):
                rows = site.session.scalars(
                    select(Rendition).where(Rendition.asset_id == asset.id, Rendition.generation == asset.generation)
                ).all()
                assert rows, "a shown generation has renditions"
                prefix = f"t/{tenant}/r/{asset.id}/{asset.generation}/"
                stored = {info.key.removeprefix(prefix): info.size for info in site.blobs.list(prefix)}
                assert stored == {row.name: row.size for row in rows}


def deliver_again(tenant: str, ids: list[str], times: int) -> None:
    """Each asset's message so many times more, in an order of no meaning."""
    messages = ids * times
    random.Random(5).shuffle(messages)
    for asset_id in messages:
        ports().queue.send(media_job(tenant, asset_id), group=tenant)
