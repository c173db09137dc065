"""Signs of life of the loops that serve no requests: a file that each touches on every turn, every few seconds at most.

See docs/adr/0106 for why a file. A loop that hangs leaves it untouched, which a thread beside it would not.
"""

import time
from pathlib import Path

from tenants.scope import ports, settings

EVERY_SECONDS = 5.0
LATE_SECONDS = {
    "relay": 60.0,
    "bridge": 60.0,
    "worker": 60.0,
    "reconcile": 3600.0,
    "heal": 120.0,
    "billing": 1800.0,
    "domains": 300.0,
    "webhooks": 300.0,
}
"""How old a sign of life may be. A turn of `reconcile` looks through everything that is stored, one of `billing` closes
all hours since it last ran."""


TURNS = "loop.turns"
"""The metric of turns that ended well, by `fleet`: a loop that fails each time shows signs of life, and none of it."""


class Heartbeat:
    def __init__(self, fleet: str) -> None:
        self._fleet = fleet
        self._path = _path(fleet)
        self._next = float("-inf")

    def beat(self) -> None:
        """To be called on every turn. A full disk is another check's business."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY_SECONDS
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.touch()
            except OSError:
                return

    def turned(self) -> None:
        """A turn ended well. For loops whose turns are a quarter of a minute apart at least: each is a metric."""
        ports().metrics.put(TURNS, 1, fleet=self._fleet)


def age(fleet: str) -> float | None:
    """Seconds since the last sign of life; None if there never was one."""
    try:
        return max(0.0, time.time() - _path(fleet).stat().st_mtime)
    except FileNotFoundError:
        return None


def _path(fleet: str) -> Path:
    return settings().data_dir / "run" / f"{fleet}.beat"
