"""The announced end of this machine: asked for, remembered, and told once. See docs/adr/0100.

Bridge and workers each ask for themselves, so that neither depends on the other or on Redis in the last two minutes.
"""

import threading
import time
from datetime import datetime

import structlog

from infra.ports import Clock, Notices

log = structlog.get_logger(__name__)

EVERY_SECONDS = 5.0  # As AWS advises.
LET_GO_SECONDS = 30.0
"""So long before the machine's end a job that still runs is made to let go: time for its message to go back."""


class Watch:
    """`look` asks, at most every five seconds; `follow` does so from a thread, for whoever must not wait for answers.

    A notice that is withdrawn counts no longer. That the machine has only become likelier to be taken away is told and
    changes nothing: most of what it works on ends within two minutes, and it may well stay.
    """

    def __init__(self, notices: Notices, clock: Clock, *, every: float = EVERY_SECONDS) -> None:
        self._notices, self._clock, self._every = notices, clock, every
        self._next = time.monotonic()
        self._rebalance = False
        self.ends_at: datetime | None = None

    @property
    def seconds_left(self) -> float | None:
        """Until the machine is taken away; None while nothing is announced."""
        return (self.ends_at - self._clock.now()).total_seconds() if self.ends_at else None

    def look(self) -> bool:
        """Whether it was time to ask."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every
        ends_at = self._notices.interruption()
        if ends_at != self.ends_at:
            log.warning("this machine will be taken away" if ends_at else "this machine stays after all", at=ends_at)
        self.ends_at = ends_at
        if not self._rebalance and self._notices.rebalance():
            self._rebalance = True
            log.warning("this machine is likelier than usual to be taken away soon")
        return True

    def follow(self) -> None:
        """Go on looking, for as long as the process lives."""

        def again_and_again() -> None:
            while True:
                self.look()
                time.sleep(self._every)

        threading.Thread(target=again_and_again, name="notices", daemon=True).start()
