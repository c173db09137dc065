"""What the bridge knows about the job queue, for alarms and for scaling the fleet."""

import time
from collections import Counter
from collections.abc import Callable

from infra.ports import Clock, Depth, Message, Metrics

EVERY_SECONDS = 60.0


class Gauges:
    """Told once a minute, so that a busy bridge does not write for every message.

    `queue.waiting`, `queue.in_flight`, `queue.dead` and `queue.backlog_per_worker` are the queue's, the same whichever
    bridge tells them: look at their average. `queue.age` is how many seconds the oldest waiting message has waited,
    where the queue knows it (SQS tells CloudWatch itself: ApproximateAgeOfOldestMessage). `queue.wait` is a tenant's
    longest wait of the minute, in seconds from the sending of a message to its first receive. `job.returned` counts the
    messages whose job failed or was lost, by tenant; `job.errors` (`processor/jobs.py`) says what of that is known.
    """

    def __init__(self, metrics: Metrics, clock: Clock, *, every: float = EVERY_SECONDS) -> None:
        self._metrics = metrics
        self._clock = clock
        self._every = every
        self._next = time.monotonic()
        self._waits: dict[str, float] = {}
        self._failed: Counter[str] = Counter()

    def received(self, message: Message) -> None:
        if message.receives == 1 and message.group:
            waited = max(0.0, (self._clock.now() - message.sent_at).total_seconds())
            self._waits[message.group] = max(waited, self._waits.get(message.group, 0.0))

    def failed(self, message: Message) -> None:
        if message.group:
            self._failed[message.group] += 1

    def tell(self, depth: Callable[[], Depth], workers: int) -> None:
        """Once in a while; otherwise it does nothing. Raises what `depth` raises."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        waits, self._waits = self._waits, {}
        for tenant, waited in waits.items():
            self._metrics.put("queue.wait", waited, unit="Seconds", tenant=tenant)
        failed, self._failed = self._failed, Counter()
        for tenant, count in failed.items():
            self._metrics.put("job.returned", count, tenant=tenant)
        found = depth()
        self._metrics.put("queue.waiting", found.waiting)
        self._metrics.put("queue.in_flight", found.in_flight)
        self._metrics.put("queue.dead", found.dead)
        if found.oldest is not None:
            age = max(0.0, (self._clock.now() - found.oldest).total_seconds())
            self._metrics.put("queue.age", age, unit="Seconds")
        if workers:
            self._metrics.put("queue.backlog_per_worker", found.waiting / workers)
