"""How fast this host's jobs follow each other, and so how many to keep ready for its workers.

A job that takes a second does not mind the milliseconds between its worker's falling free and the next job's arrival.
One that is over in some milliseconds does, so while jobs are that short, one more for each worker lies ready in Redis.
What lies ready cannot go to another host, hence the bound, and hence the end of it once a job has lain for long.
"""

from dataclasses import dataclass

SHORT_SECONDS = 0.5
"""Jobs that end sooner after they were handed out, in the mean, are short."""
LONG_LYING_SECONDS = 10.0
"""What was handed out and has not been started for so long goes back to the queue."""
_WEIGHT = 0.25


@dataclass
class Pace:
    """The moving mean of the seconds from handing a job out to its end. At first, jobs are taken for long ones."""

    seconds: float = LONG_LYING_SECONDS

    def ended(self, seconds: float) -> None:
        self.seconds += _WEIGHT * (seconds - self.seconds)

    def slow(self) -> None:
        """Something lay for long: nothing lies ready until jobs have been short again for a while."""
        self.seconds = LONG_LYING_SECONDS

    def ready(self, workers: int) -> int:
        """How many jobs to keep ready beyond those that free workers can start."""
        return workers if self.seconds < SHORT_SECONDS else 0
