"""Delivery by CloudFront. What the stack has to provide is in docs/domains.md."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from infra.aws.client import Clients
from infra.aws.cloudfront_signing import Signer
from infra.aws.cloudfront_tenants import DistributionTenants, Hosting
from infra.capabilities import Capabilities
from infra.ports import Clock, Serving


class CloudFrontEdge(Capabilities):
    """Implements `infra.ports.Edge`.

    CloudFront asks for a cookie (or a signed URL) where a picture is not everyone's, and keeps copies; whatever it does
    not have it asks the app for, which checks the address as it does without CloudFront. The newest key signs; keys
    that came before stay good for as long as their public halves are in the distribution's key group.
    """

    def __init__(
        self,
        clients: Clients,
        clock: Clock,
        secrets: Sequence[str],
        signers: Sequence[Signer],
        hosting: Hosting,
        *,
        shared_seconds: int,
    ) -> None:
        super().__init__(secrets, clock)
        self.shared_seconds = shared_seconds
        self._signer = signers[0]
        self._tenants = DistributionTenants(clients, hosting)

    def cookies(self, origin: str, path: str, *, until: datetime) -> Mapping[str, str]:
        return self._signer.cookies(f"{origin}{path}*", until)

    def signed(self, url: str, *, until: datetime) -> str:
        return self._signer.url(url, until)

    def invalidate(self, hosts: Sequence[str], paths: Sequence[str], *, reference: str) -> None:
        for host in hosts:
            self._tenants.invalidate(host, list(paths), f"{reference}-{host}")

    def serve(self, host: str) -> Serving:
        return self._tenants.serve(host)

    def withdraw(self, host: str) -> bool:
        return self._tenants.withdraw(host)
