"""The port of metrics, and what some adapters can do besides."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

MAX_DIMENSIONS = 3


def check_dimensions(dimensions: Mapping[str, str]) -> None:
    """Raises `ValueError` for more than `MAX_DIMENSIONS`, and for a value that is empty or not ASCII (CloudWatch)."""
    if len(dimensions) > MAX_DIMENSIONS:
        raise ValueError(f"at most {MAX_DIMENSIONS} dimensions: {', '.join(dimensions)}")
    for name, value in dimensions.items():
        if not (value.isascii() and value.strip() and len(value) <= 1024):
            raise ValueError(f"a dimension's value is 1 to 1,024 ASCII characters: {name}={value!r}")


class Metrics(Protocol):
    """Numbers over time with a few dimensions, as CloudWatch keeps them."""

    def put(
        self, name: str, value: float, at: datetime | None = None, /, *, unit: str = "Count", **dimensions: str
    ) -> None:
        """Record one value, of now or of the time `at`; `unit` is one of CloudWatch's.

        Never waits or raises for a metrics outage: work must not stop because nobody is counting. Raises `ValueError`
        for dimensions that no adapter takes (`check_dimensions`).
        """

    def total(self, name: str, start: datetime, end: datetime, **dimensions: str) -> float:
        """Sum of the values recorded in [start, end) whose dimensions include these.

        CloudWatch keeps minutes: there, a window means the whole minutes that it touches.
        """

    def totals(self, name: str, start: datetime, end: datetime, by: str, among: Sequence[str]) -> dict[str, float]:
        """`total` for each of the values `among` of the dimension `by`, in few requests; those without are left out.

        Unlike `put` it raises `Unavailable` (or the database's error) when the metrics cannot be read.
        """


@runtime_checkable
class ForgettingMetrics(Protocol):
    """What an adapter can do besides about values that it still holds itself. CloudWatch's own expire; none can be
    removed."""

    def forget(self, **dimensions: str) -> int:
        """Remove the values whose dimensions include these; how many."""

    def remembered(self, **dimensions: str) -> int:
        """How many there are."""
