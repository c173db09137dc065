"""Whether a fleet can do its work here and now: real checks of what it depends on, each bounded in time.

A check that hangs is abandoned, not awaited, and is not begun again before it has ended. Answers are kept for a moment:
whoever asks a hundred times a second costs what one costs who asks every other second.
"""

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog
from flask import Flask
from redis import Redis
from sqlalchemy import text

import infra
from infra.errors import BlobMissing
from infra.sql import reading
from tenants.db import db
from tenants.names import new_id, tenant_prefix
from tenants.scope import ports, settings

log = structlog.get_logger(__name__)

LIMIT_SECONDS = 3.0
KEEP_SECONDS = 2.0

Run = Callable[[Callable[[], None]], None]


class NotReady(Exception):
    """What is wrong, in a sentence for the operator."""


@dataclass(frozen=True)
class Outcome:
    """`word` is for everyone: `ok`, `failed` or `slow`. `why` is for the operator."""

    word: str
    seconds: float
    why: str = ""


def database() -> None:
    """It answers, and has every migration that this release needs. A later release's may be there already."""
    with reading(), db.engine.connect() as connection:
        found = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
    heads, known = _migrations()
    if not found or (found <= known and found != heads):
        raise NotReady(f"migrations are pending: at {', '.join(sorted(found)) or 'none'}, run `flask db upgrade`")


@cache
def _migrations() -> tuple[frozenset[str], frozenset[str]]:
    """The newest of this release, and all of them."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(infra.__file__).parent / "migrations"))
    return frozenset(scripts.get_heads()), frozenset(script.revision for script in scripts.walk_revisions())


def blobs() -> None:
    """The store says of an object that was never there that it is not there."""
    try:
        ports().blobs.stat(f"{tenant_prefix(new_id())}ready")
    except BlobMissing:
        return


def queue() -> None:
    ports().queue.depth()


def disk() -> None:
    """Uploads, scratch files and spools have room."""
    free = shutil.disk_usage(settings().data_dir).free
    if free < settings().min_free_bytes:
        raise NotReady(f"{free >> 20} MiB are free in {settings().data_dir}, VITRINE_MIN_FREE_BYTES asks for more")


def redis() -> None:
    with Redis.from_url(settings().redis_url, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()


CHECKS: Mapping[str, Callable[[], None]] = {
    "database": database,
    "blobs": blobs,
    "queue": queue,
    "disk": disk,
    "redis": redis,
}

FLEETS: Mapping[str, Sequence[str]] = {
    "web": ("database", "blobs"),
    "upload": ("database", "blobs", "disk"),
    "relay": ("database", "queue"),
    "bridge": ("database", "queue", "redis"),
    "worker": ("database", "blobs", "disk", "redis"),
    "reconcile": ("database", "blobs", "queue"),
    "heal": ("database", "blobs"),
    "billing": ("database",),
    "domains": ("database",),
    "webhooks": ("database",),
}
"""What each fleet cannot work without. The web and the upload fleet need no queue: the outbox waits."""


class Readiness:
    """One fleet's checks. `lanes` are where checks must run that may not run just anywhere (`uploader/offload.py`)."""

    def __init__(self, app: Flask, fleet: str, lanes: Mapping[str, Run] | None = None) -> None:
        self._app = app
        self._checks = [_Check(app, name, (lanes or {}).get(name)) for name in FLEETS[fleet]]
        self._lock = threading.Lock()
        self._kept: dict[str, Outcome] = {}
        self._until = float("-inf")

    def words(self) -> dict[str, str]:
        return {name: outcome.word for name, outcome in self.outcomes().items()}

    def outcomes(self) -> dict[str, Outcome]:
        """All at once, within `LIMIT_SECONDS`; those of a moment ago where there are some."""
        with self._lock:
            if time.monotonic() >= self._until:
                for check in self._checks:
                    check.begin()
                deadline = time.monotonic() + LIMIT_SECONDS
                self._kept = {check.name: check.end(deadline) for check in self._checks}
                self._until = time.monotonic() + KEEP_SECONDS
            return self._kept


class _Check:
    def __init__(self, app: Flask, name: str, run: Run | None) -> None:
        self.name = name
        self._app = app
        self._run = run or (lambda function: function())
        self._thread: threading.Thread | None = None
        self._began = 0.0
        self._outcome: Outcome | None = None

    def begin(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._began, self._outcome = time.monotonic(), None
            self._thread = threading.Thread(target=self._work, name=f"ready: {self.name}", daemon=True)
            self._thread.start()

    def end(self, deadline: float) -> Outcome:
        assert self._thread is not None
        self._thread.join(max(0.0, deadline - time.monotonic()))
        seconds = round(time.monotonic() - self._began, 3)
        outcome = self._outcome or Outcome("slow", seconds, f"no answer for {seconds:.0f} s")
        if outcome.word != "ok":
            log.warning("not ready", check=self.name, word=outcome.word, why=outcome.why)
        return outcome

    def _work(self) -> None:
        why = ""
        try:
            with self._app.app_context():
                self._run(CHECKS[self.name])
        except Exception as error:
            why = str(error) if isinstance(error, NotReady) else f"{type(error).__name__}: {error}"
        seconds = round(time.monotonic() - self._began, 3)
        self._outcome = Outcome("failed" if why else "ok", seconds, why[:300])
