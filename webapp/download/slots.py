"""How many downloads run at once. Each holds a thread for as long as its client takes, and pages need threads too."""

from collections import Counter
from collections.abc import Callable
from threading import Lock

from infra.errors import Problem

A_VISITOR = 2
"""So that one visitor with many connections does not keep others out. Two: a resumed download starts before the server
has noticed that the first connection is dead."""

RETRY_SECONDS = 30


class Slots:
    """Of one process; `most` is `VITRINE_DOWNLOADS_AT_ONCE`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._held: Counter[str] = Counter()

    def take(self, visitor: str) -> Callable[[], None]:
        """What gives the slot back; calling it again does nothing. Raises `Problem` (429, 503), with Retry-After."""
        retry = {"Retry-After": str(RETRY_SECONDS)}
        with self._lock:
            if self._held[visitor] >= A_VISITOR:
                raise Problem("rate-limited", "Wait until one of your downloads has ended.", headers=retry)
            if self._held.total() >= self._most:
                raise Problem("unavailable", "Many downloads are running. Try again in a minute.", headers=retry)
            self._held[visitor] += 1
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            with self._lock:
                if not given_back:
                    given_back = True
                    self._held[visitor] -= 1
                    if not self._held[visitor]:
                        del self._held[visitor]

        return give_back
