"""Numbers that add up faster than metrics should be put: counted in memory, put every few seconds.

For what a request must not wait for. A process that ends loses the last seconds, so nothing that is billed comes this
way.
"""

import threading
from collections import Counter
from collections.abc import Callable

from infra.ports import Metrics, check_dimensions

Key = tuple[str, str, tuple[tuple[str, str], ...]]


def _directly(put: Callable[[], None]) -> None:
    put()


class Tally:
    """`run` is where putting may block: under gevent not on the event loop."""

    def __init__(
        self, metrics: Metrics, *, every: float = 10.0, run: Callable[[Callable[[], None]], None] = _directly
    ) -> None:
        self._metrics = metrics
        self._every = every
        self._run = run
        self._lock = threading.Lock()
        self._sums: Counter[Key] = Counter()
        self._timer: threading.Timer | None = None

    def add(self, name: str, value: float = 1, *, unit: str = "Count", **dimensions: str) -> None:
        """As `Metrics.put`, some seconds later and summed up."""
        check_dimensions(dimensions)
        with self._lock:
            self._sums[(name, unit, tuple(sorted(dimensions.items())))] += value  # type: ignore[assignment]  # floats
            if self._timer is None:
                self._timer = threading.Timer(self._every, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Put what there is now."""
        with self._lock:
            sums, self._sums = self._sums, Counter()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
        if sums:
            self._run(lambda: self._put(sums))

    def _put(self, sums: Counter[Key]) -> None:
        for (name, unit, dimensions), value in sums.items():
            self._metrics.put(name, value, unit=unit, **dict(dimensions))
