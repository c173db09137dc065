"""No edge that writes logs: the app delivers, and counts what it sends by itself (`tenants/delivered.py`)."""

from collections.abc import Iterator
from datetime import datetime

from infra.errors import BlobMissing
from infra.ports import Delivery, LogFile


class NoDeliveryLogs:
    """Implements `infra.ports.DeliveryLogs`."""

    def arrived(self, since: datetime) -> Iterator[LogFile]:
        return iter(())

    def read(self, name: str) -> Iterator[Delivery]:
        raise BlobMissing(name)

    def downloaded(self, start: datetime, end: datetime) -> int:
        return 0
