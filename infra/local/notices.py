"""A machine that nobody takes away."""

from datetime import datetime


class NoNotices:
    """Implements `infra.ports.Notices`."""

    def interruption(self) -> datetime | None:
        return None

    def rebalance(self) -> bool:
        return False
