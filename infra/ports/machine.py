"""Ports of the machine itself: its clock, and what is announced about its end."""

from datetime import datetime
from typing import Protocol


class Notices(Protocol):
    """What is announced about the end of this machine. Never raises: what cannot be asked was not announced."""

    def interruption(self) -> datetime | None:
        """When this machine will be taken away; None while nothing is announced."""

    def rebalance(self) -> bool:
        """Whether it is likelier than usual to be taken away soon."""


class Clock(Protocol):
    """The only source of the current time in code whose behaviour depends on it."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def sleep(self, seconds: float) -> None: ...
