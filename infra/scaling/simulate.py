"""A day of the fleets under the policies, event by event: jobs one by one, uploads and web minute by minute.

The processors are modelled as they are built: a host has workers, a Spot host is announced two minutes ahead and
receives nothing more then (docs/adr/0100), a job that does not end in time goes back to the queue, and a busy host is
protected from scale-in. Runs are the same for the same seed.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from statistics import mean

from infra.scaling import policy
from infra.scaling.traffic import DAY, Traffic, figure

NOTICE_SECONDS = 120.0
MINUTE = 60.0
WORKERS_A_HOST = 2


@dataclass(frozen=True)
class Loss:
    """At `at`, `share` of the Spot hosts are given notice, and no new one is to be had for `drought` seconds."""

    at: float
    share: float
    drought: float


@dataclass(frozen=True)
class Scenario:
    """`on_demand` processors are never taken away. `reclaimed` is the chance a Spot host has of it in an hour.

    Without `headroom` only the backlog decides.
    """

    name: str
    traffic: Traffic = field(default_factory=Traffic)
    losses: tuple[Loss, ...] = ()
    least: int = 2
    most: int = 40
    on_demand: int = 1
    reclaimed: float = 0.005
    headroom: bool = True
    seed: int = 7


@dataclass
class Minute:
    """At the end of a minute: files waiting, seconds the oldest has waited, machines that are paid for, by fleet."""

    waiting: int
    age: float
    processors_spot: int
    processors_on_demand: int
    uploads: int
    web: int


@dataclass
class Day:
    """What came of it. `waits` has seconds from arrival to first start, in the order of starts."""

    scenario: Scenario
    minutes: list[Minute] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    arrived: int = 0
    done: int = 0
    waiting: int = 0
    running: int = 0
    returned: int = 0


@dataclass(eq=False)
class _Job:
    arrived: float
    seconds: float
    started: bool = False


@dataclass(eq=False)
class _Host:
    number: int
    spot: bool
    ready: float
    draining: bool = False
    gone: bool = False
    jobs: dict[int, _Job] = field(default_factory=dict)


class Simulation:
    def __init__(self, scenario: Scenario) -> None:
        self.day = Day(scenario)
        self._scenario = scenario
        self._chance = random.Random(scenario.seed)  # noqa: S311  # a simulation, not a secret
        self._events: list[tuple[float, int, str, object]] = []
        self._order = count()
        self._queue: deque[_Job] = deque()
        self._hosts: list[_Host] = []
        self._numbers = count()
        self._now = 0.0
        self._no_spot_until = 0.0
        self._backlog: list[float] = []
        self._busy: list[float] = []
        mean_job = scenario.traffic.mean_job_seconds
        self._by_backlog, self._by_busy = policy.processors(mean_job, least=scenario.least, most=scenario.most)
        self._others = _Others(scenario.traffic)

    def run(self) -> Day:
        for arrival in self._scenario.traffic.arrivals(self._chance):
            self._at(arrival, "arrive", None)
        for minute in range(1, int(DAY / MINUTE) + 1):
            self._at(minute * MINUTE, "minute", None)
        for loss in self._scenario.losses:
            self._at(loss.at, "lose", loss)
        for _ in range(self._scenario.least):
            self._launch(ready=0.0)
        while self._events:
            self._now, _, what, about = heapq.heappop(self._events)
            if self._now > DAY:
                break
            getattr(self, f"_{what}")(about)
        self.day.waiting = len(self._queue)
        self.day.running = sum(len(host.jobs) for host in self._hosts)
        return self.day

    def _at(self, when: float, what: str, about: object) -> None:
        heapq.heappush(self._events, (when, next(self._order), what, about))

    # -- events --

    def _arrive(self, _about: None) -> None:
        self.day.arrived += 1
        self._queue.append(_Job(self._now, self._scenario.traffic.job_seconds(self._chance)))
        self._hand_out()

    def _end(self, about: tuple[_Host, int]) -> None:
        host, number = about
        if host.jobs.pop(number, None) is None:
            return  # Its host was taken away first, and the job is another's.
        self.day.done += 1
        if host.draining and not host.jobs:
            self._remove(host)
        self._hand_out()

    def _is_ready(self, _host: _Host) -> None:
        self._hand_out()

    def _lose(self, loss: Loss) -> None:
        spot = [host for host in self._hosts if host.spot]
        for host in self._chance.sample(spot, round(len(spot) * loss.share)):
            self._give_notice(host)
        self._no_spot_until = max(self._no_spot_until, self._now + loss.drought)

    def _give_notice(self, host: _Host) -> None:
        host.draining = True
        self._at(self._now + NOTICE_SECONDS, "take_away", host)

    def _take_away(self, host: _Host) -> None:
        self.day.returned += len(host.jobs)
        self._queue.extendleft(reversed(host.jobs.values()))
        host.jobs.clear()
        self._remove(host)
        self._hand_out()

    def _minute(self, _about: None) -> None:
        self._reclaim()
        working = [host for host in self._hosts if host.ready <= self._now and not host.draining]
        capacity = [host for host in self._hosts if not host.draining]
        workers = WORKERS_A_HOST * len(working)
        self._backlog.append(policy.backlog_per_worker(len(self._queue), workers))
        self._busy.append(sum(len(host.jobs) for host in working) / max(1, workers))
        wishes = [self._by_backlog.wanted(self._backlog, len(working))]
        if self._scenario.headroom:
            wishes.append(self._by_busy.wanted(self._busy, len(working)))
        wanted = policy.wanted_by_all(wishes)
        for _ in range(wanted - len(capacity)):
            if not self._launch(ready=self._now + figure("first_boot_seconds")):
                break
        # While new ones warm up they are capacity already, and nothing is taken away.
        if all(host.ready + policy.WARM_UP_SECONDS <= self._now for host in capacity):
            idle = [host.number for host in working if host.spot and not host.jobs]
            ending = set(policy.to_end(idle, len(capacity) - wanted))
            for host in [host for host in working if host.number in ending]:
                self._remove(host)
        self._note()

    # -- what they do --

    def _reclaim(self) -> None:
        for host in self._hosts:
            if host.spot and not host.draining and self._chance.random() < self._scenario.reclaimed / 60:
                self._give_notice(host)

    def _launch(self, ready: float) -> bool:
        spot = sum(not host.spot for host in self._hosts) >= self._scenario.on_demand
        if spot and self._now < self._no_spot_until:
            return False
        host = _Host(next(self._numbers), spot, ready)
        self._hosts.append(host)
        self._at(ready, "is_ready", host)
        return True

    def _remove(self, host: _Host) -> None:
        if not host.gone:
            host.gone = True
            self._hosts.remove(host)

    def _hand_out(self) -> None:
        for host in self._hosts:
            while self._queue and host.ready <= self._now and not host.draining and len(host.jobs) < WORKERS_A_HOST:
                job = self._queue.popleft()
                if not job.started:
                    job.started = True
                    self.day.waits.append(self._now - job.arrived)
                number = next(self._numbers)
                host.jobs[number] = job
                self._at(self._now + job.seconds, "end", (host, number))

    def _note(self) -> None:
        spot = sum(host.spot for host in self._hosts)
        uploads, web = self._others.minute(self._now)
        # Jobs that came back are at the head, and were waited for before.
        age = max((self._now - job.arrived for job in self._queue), default=0.0)
        self.day.minutes.append(Minute(len(self._queue), age, spot, len(self._hosts) - spot, uploads, web))


class _Others:
    """The upload and the web fleet, as flows: their machines are alike and their requests short."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._uploads, self._web = 1, 1
        self._history: dict[str, list[float]] = {"connections": [], "bytes": [], "requests": []}

    def minute(self, now: float) -> tuple[int, int]:
        rate = self._traffic.rate(now - MINUTE / 2)
        told = {
            "connections": rate * self._traffic.upload_seconds / self._uploads,
            "bytes": rate * MINUTE * self._traffic.bytes_a_file / self._uploads,
            "requests": rate * MINUTE * self._traffic.requests_a_file / self._web,
        }
        for name, value in told.items():
            self._history[name].append(value)
        connections, arriving = policy.uploads()
        before = self._uploads, self._web
        self._uploads = policy.wanted_by_all(
            (
                connections.wanted(self._history["connections"], self._uploads),
                arriving.wanted(self._history["bytes"], self._uploads),
            )
        )
        self._web = policy.web().wanted(self._history["requests"], self._web)
        # What was measured on another number of machines says nothing of this one.
        if before[0] != self._uploads:
            self._history["connections"].clear()
            self._history["bytes"].clear()
        if before[1] != self._web:
            self._history["requests"].clear()
        return self._uploads, self._web


def simulate(scenario: Scenario) -> Day:
    return Simulation(scenario).run()


def settled_after(day: Day, since: float, limit: float = 2 * policy.TARGET_WAIT_SECONDS) -> float:
    """Seconds from `since` until the queue's age was within `limit` and stayed so; infinite if it never did."""
    late = [index for index, minute in enumerate(day.minutes) if (index + 1) * MINUTE >= since and minute.age > limit]
    if not late:
        return 0.0
    settled = (late[-1] + 2) * MINUTE
    return settled - since if settled <= DAY else float("inf")


def mean_hosts(day: Day) -> float:
    return mean(minute.processors_spot + minute.processors_on_demand for minute in day.minutes)
