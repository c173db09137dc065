"""The policies as pure functions and numbers. The stack's alarms and the simulation use the same.

Each fleet follows one or two metrics by target tracking, as Application Auto Scaling documents it: three minutes above
the target add what the ratio says, fifteen minutes below nine tenths of it take away, one step at a time, and machines
that are still warming up are counted as capacity but not asked. Periods are minutes, durations seconds.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TARGET_WAIT_SECONDS = 60.0
"""How long a photo may wait for a worker in the normal course of things."""

BUSY_SHARE = 0.7
"""Of the workers may be at work before more are had: a backlog alone is only seen when somebody waits already."""

WARM_UP_SECONDS = 180
UPLOAD_CONNECTIONS = 400
UPLOAD_BYTES_PER_MINUTE = 400_000_000
WEB_REQUESTS_PER_MINUTE = 3_000

OUT_POINTS = 3
IN_POINTS = 15
IN_RATIO = 0.9


def backlog_per_worker(waiting: int, workers: int) -> float:
    """What `queue.backlog_per_worker` says (`processor/gauges.py`).

    No worker at all counts as one, so it is never nothing.
    """
    if waiting < 0 or workers < 0:
        raise ValueError("neither may be negative")
    return waiting / max(1, workers)


def target_backlog(mean_job_seconds: float, wait_seconds: float = TARGET_WAIT_SECONDS) -> float:
    """Messages that may wait for each worker: the last of them begins after `wait_seconds`. At least one."""
    if mean_job_seconds <= 0:
        raise ValueError("a job takes some time")
    return max(1.0, wait_seconds / mean_job_seconds)


@dataclass(frozen=True)
class Tracking:
    """One metric of one fleet: so much of it for each machine (or worker), between `least` and `most` machines."""

    target: float
    least: int
    most: int
    out_points: int = OUT_POINTS
    in_points: int = IN_POINTS

    def wanted(self, history: Sequence[float], machines: int) -> int:
        """How many machines there should be. `history` has the metric a minute, the newest last."""
        recent = history[-self.out_points :]
        if len(recent) == self.out_points and min(recent) > self.target:
            # Of the minutes that were too much the least: a single peak does not decide how many.
            return self._bounded(math.ceil(max(1, machines) * min(recent) / self.target))
        quiet = history[-self.in_points :]
        if len(quiet) == self.in_points and max(quiet) < self.target * IN_RATIO:
            fitting = math.ceil(machines * max(quiet) / self.target)
            return self._bounded(max(fitting, machines - max(1, machines // 10)))
        return self._bounded(machines)

    def _bounded(self, machines: int) -> int:
        return min(self.most, max(self.least, machines))


def wanted_by_all(wishes: Iterable[int]) -> int:
    """Of several policies of one fleet the one that wants most decides, as in Auto Scaling."""
    return max(wishes)


def processors(mean_job_seconds: float, *, least: int = 1, most: int = 20) -> tuple[Tracking, Tracking]:
    """Follow `backlog_per_worker`, and the share of workers that are at work (the group's average CPU, on AWS)."""
    return Tracking(target_backlog(mean_job_seconds), least, most), Tracking(BUSY_SHARE, least, most)


def uploads(*, least: int = 1, most: int = 6) -> tuple[Tracking, Tracking]:
    """Follow open connections of each machine, and bytes that come in to each in a minute."""
    return Tracking(UPLOAD_CONNECTIONS, least, most), Tracking(UPLOAD_BYTES_PER_MINUTE, least, most)


def web(*, least: int = 1, most: int = 6) -> Tracking:
    """Follows requests of each machine in a minute (`RequestCountPerTarget`)."""
    return Tracking(WEB_REQUESTS_PER_MINUTE, least, most)


def to_end(idle: Sequence[int], surplus: int) -> list[int]:
    """Which machines go when `surplus` are too many: of the idle ones, since busy ones are protected from scale-in."""
    return list(idle[: max(0, surplus)])
