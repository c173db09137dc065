"""A day of traffic: how much comes in when, and what it asks of a worker. Seconds since midnight."""

import json
import math
import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

DAY = 24 * 3600
_PEAK_HOUR = 20.0
_SWING = 0.75


@cache
def figure(name: str) -> float:
    """A measured service time (`figures.json`, which names where it was measured)."""
    return float(json.loads(Path(__file__).with_name("figures.json").read_text())[name]["value"])


@dataclass(frozen=True)
class Spike:
    """`factor` times the traffic from `start` on, for `seconds`."""

    start: float
    seconds: float
    factor: float

    @property
    def end(self) -> float:
        return self.start + self.seconds


@dataclass(frozen=True)
class Traffic:
    """By default what 10,000 tenants bring who add fifteen files each.

    The curve is least at 8 and most at 20 o'clock.
    """

    files_a_day: float = 150_000
    video_share: float = 0.03
    video_seconds: float = 30.0
    bytes_a_file: float = 6e6
    requests_a_file: float = 60.0
    upload_seconds: float = 20.0
    spikes: tuple[Spike, ...] = field(default=())

    def rate(self, now: float) -> float:
        """Files a second."""
        base = self.files_a_day / DAY * (1 + _SWING * math.cos((now / 3600 - _PEAK_HOUR) / 24 * math.tau))
        return base * math.prod(spike.factor for spike in self.spikes if spike.start <= now < spike.end)

    @property
    def most(self) -> float:
        """No `rate` is above it."""
        return self.files_a_day / DAY * (1 + _SWING) * math.prod(max(1.0, spike.factor) for spike in self.spikes)

    def arrivals(self, chance: random.Random) -> list[float]:
        """When files arrive: a Poisson process of that rate, by thinning one of the highest."""
        found, now = [], 0.0
        while (now := now + chance.expovariate(self.most)) < DAY:
            if chance.random() * self.most < self.rate(now):
                found.append(now)
        return found

    @property
    def mean_job_seconds(self) -> float:
        return (1 - self.video_share) * photo_seconds() + self.video_share * video_seconds(self.video_seconds)

    def job_seconds(self, chance: random.Random) -> float:
        """What one file asks of one worker. Films are of very unlike lengths, photos nearly alike."""
        if chance.random() < self.video_share:
            return video_seconds(chance.expovariate(1 / self.video_seconds))
        return photo_seconds() * chance.lognormvariate(-0.045, 0.3)  # Its mean is 1.


def photo_seconds() -> float:
    cpu = figure("photo_cpu_seconds") + figure("job_cpu_seconds")
    return cpu / figure("core_speed") + figure("store_seconds")


def video_seconds(length: float) -> float:
    cpu = figure("video_cpu_seconds_per_second") * length + figure("job_cpu_seconds")
    return cpu / figure("core_speed") + figure("store_seconds")
