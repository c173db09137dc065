"""Nobody who reports lost objects: what this machine's disk loses is found by looking."""

from datetime import timedelta

from infra.ports import Clock, Loss


class NoLosses:
    """Implements `infra.ports.Losses`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def receive(self, wait: timedelta = timedelta()) -> list[Loss]:
        if wait:
            self._clock.sleep(wait.total_seconds())
        return []

    def settle(self, *receipts: str) -> None:
        """Nothing was received."""
