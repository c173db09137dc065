"""Delivery by the app itself: CloudFront's semantics without CloudFront."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from infra.capabilities import Capabilities
from infra.ports import Serving


class AppEdge(Capabilities):
    """Implements `infra.ports.Edge`. The app checks every request, so there are no copies to purge.

    Certificates are the business of the proxy in front, which asks the app for which hosts it may get one
    (`webapp/certificates.py`).
    """

    shared_seconds = 0

    def cookies(self, origin: str, path: str, *, until: datetime) -> Mapping[str, str]:
        return {}

    def signed(self, url: str, *, until: datetime) -> str:
        return url

    def invalidate(self, hosts: Sequence[str], paths: Sequence[str], *, reference: str) -> None:
        """Nothing to purge: who asks is checked each time (`tenants/delivery.py`)."""

    def serve(self, host: str) -> Serving:
        return Serving(ready=True)

    def withdraw(self, host: str) -> bool:
        return True
