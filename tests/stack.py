"""Every fleet as real processes on free ports, in a data folder of its own: what `make run` starts, for a test."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import psutil
from loopback import free_port, wait_for_port

from infra.settings import Settings, load

ROOT = Path(__file__).parent.parent
FLEETS = ("redis", "web", "upload", "relay", "bridge", "worker")
STOP_SECONDS = 15


@dataclass
class Stack:
    """Starts `fleets` on `with`, in their order, and stops them in reverse. The database must have its tables.

    They inherit this process's environment, or `inherited` in its place. Logs are in `<data_dir>/log`. `kill` is
    `kill -9` of one fleet with all of its processes; `start` brings it back.
    """

    data_dir: Path
    fleets: tuple[str, ...] = FLEETS
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=lambda: os.environ)
    web_port: int = field(default_factory=free_port)
    upload_port: int = field(default_factory=free_port)
    redis_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            **self.inherited,
            "PYTHONPATH": str(ROOT),
            "VITRINE_DATA_DIR": str(self.data_dir),
            "VITRINE_WEB_PORT": str(self.web_port),
            "VITRINE_UPLOAD_PORT": str(self.upload_port),
            "VITRINE_REDIS_URL": self.redis_url,
            "VITRINE_WORKERS": "2",
            **self.environment,
        }

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    def origin(self, slug: str) -> str:
        return f"http://{slug}.localhost:{self.web_port}"

    @property
    def settings(self) -> Settings:
        """What the processes run with, for a test that looks into the same database."""
        return load(
            data_dir=self.data_dir,
            web_port=self.web_port,
            upload_port=self.upload_port,
            redis_url=self.redis_url,
        )

    def __enter__(self) -> "Stack":
        (self.data_dir / "log").mkdir(parents=True, exist_ok=True)
        load(data_dir=self.data_dir)  # Makes the secret key before the fleets race to.
        try:
            for fleet in self.fleets:
                self.start(fleet)
            for fleet in self.fleets:
                self._wait(fleet)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self, fleet: str) -> None:
        with (self.data_dir / "log" / f"{fleet}.log").open("ab") as log:
            self._running[fleet] = subprocess.Popen(
                self._command(fleet),
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """Every process of every fleet, forked ones included."""
        parents = [psutil.Process(process.pid) for process in self._running.values()]
        return [each for parent in parents for each in (parent, *parent.children(recursive=True))]

    def kill(self, fleet: str) -> None:
        process = self._running.pop(fleet)
        os.killpg(process.pid, 9)
        process.wait()

    def pid(self, fleet: str) -> int:
        return self._running[fleet].pid

    def stop(self) -> None:
        """Ask all of them to end at once, then wait; what does not listen is killed."""
        running = list(self._running.values())[::-1]
        self._running.clear()
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()

    def log(self, fleet: str) -> str:
        return (self.data_dir / "log" / f"{fleet}.log").read_text(errors="replace")

    def _command(self, fleet: str) -> list[str]:
        flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
        gunicorn = [sys.executable, "-m", "gunicorn", "--bind"]
        folder = str(self.data_dir)
        return {
            "redis": f"redis-server --bind 127.0.0.1 --port {self.redis_port} --appendonly no --dir {folder}".split(),
            "web": [*gunicorn, f"127.0.0.1:{self.web_port}", "-c", "webapp/gunicorn_conf.py", "wsgi:web"],
            "upload": [*gunicorn, f"127.0.0.1:{self.upload_port}", "-c", "uploader/gunicorn_conf.py", "wsgi:upload"],
            "relay": [*flask, "relay"],
            "bridge": [*flask, "bridge"],
            "worker": [*flask, "worker"],
            "reconcile": [*flask, "reconcile", "--loop", "--every", "1"],
            "sweep": [*flask, "sweep", "--loop"],
        }[fleet]

    def _wait(self, fleet: str) -> None:
        """Until a server listens, or, of the others, until it is clear that it did not end at once."""
        port = {"redis": self.redis_port, "web": self.web_port, "upload": self.upload_port}.get(fleet)
        if port is not None:
            wait_for_port(port, seconds=60)
        if self._running[fleet].poll() is not None:
            raise RuntimeError(f"{fleet} ended at once:\n{self.log(fleet)}")


def eventually(check: Callable[[], bool], seconds: float = 60, *, every: float = 0.25) -> None:
    """Wait until `check` holds. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{check.__qualname__} did not come true within {seconds:g} s")
        time.sleep(every)
