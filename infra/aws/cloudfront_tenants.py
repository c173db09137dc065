"""One distribution tenant a custom domain, on a multi-tenant distribution: CloudFront as a state machine.

Nothing is remembered here: each step asks CloudFront how far the last one came and takes the one that follows. So a
step may be repeated, run twice at once, or run by a process that knows nothing of the one that died halfway.

    none -> created (enabled, its managed certificate asked for) -> DNS points here -> certificate issued -> attached
         -> domain active = ready
    any  -> disabled -> deployed so -> deleted = nothing left
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, cast

from botocore.exceptions import ClientError

from infra.aws.client import Clients, mapped
from infra.errors import Unavailable
from infra.ports import Serving

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,126}[a-z0-9]")
_NO_CERTIFICATE = {"inactive", "expired", "validation-timed-out", "revoked", "failed"}
_CHANGED_MEANWHILE = {"PreconditionFailed", "InvalidIfMatchVersion"}

Tenant = dict[str, Any]


@dataclass(frozen=True)
class Hosting:
    """What the stack made: ids of the multi-tenant distribution and the connection group, the base domain, and the name
    of the distribution tenant that serves its sub-domains by a wildcard."""

    distribution: str
    connection_group: str
    base_domain: str
    base_tenant: str


def name_of(host: str) -> str:
    """The distribution tenant's name: the host, or a digest of one that is too long (128 characters at most)."""
    return host if _NAME.fullmatch(host) else "host-" + hashlib.sha256(host.encode()).hexdigest()


class DistributionTenants:
    """The domains' half of `infra.ports.Edge` on CloudFront."""

    def __init__(self, clients: Clients, hosting: Hosting) -> None:
        self._clients = clients
        self._hosting = hosting

    @property
    def _client(self) -> Any:
        return self._clients.get("cloudfront")

    # --- Towards serving ----------------------------------------------------------------------------------------------

    def serve(self, host: str) -> Serving:
        """One step; each changes one thing at most."""
        with mapped():
            try:
                return self._serve(host)
            except ClientError as error:
                if _code(error) in _CHANGED_MEANWHILE:
                    return Serving(False, "it was changed in the meantime")
                raise

    def _serve(self, host: str) -> Serving:
        found = self.find(name_of(host))
        if found is None:
            return self._create(host)
        tenant, etag = found
        domains = {domain["Domain"]: domain.get("Status", "inactive") for domain in tenant.get("Domains", [])}
        if host not in domains:
            return self._attach_domain(host, tenant)
        if not tenant.get("Enabled", False):
            # It was on its way out when the host was claimed again.
            self._client.update_distribution_tenant(Id=tenant["Id"], IfMatch=etag, Enabled=True)
            return Serving(False, "it is switched on again")
        if domains[host] == "active":
            return Serving(True)
        return self._certify(host, tenant, etag)

    def _create(self, host: str) -> Serving:
        try:
            self._client.create_distribution_tenant(
                DistributionId=self._hosting.distribution,
                ConnectionGroupId=self._hosting.connection_group,
                Name=name_of(host),
                Domains=[{"Domain": host}],
                Enabled=True,
                ManagedCertificateRequest=_certificate_request(host),
            )
        except ClientError as error:
            if _code(error) == "EntityAlreadyExists":
                return Serving(False, "it is being created")
            if _code(error) == "CNAMEAlreadyExists":
                return Serving(False, f"{host} is still tied to another CloudFront distribution: remove it there")
            raise
        return Serving(False, "it was created")

    def _attach_domain(self, host: str, tenant: Tenant) -> Serving:
        """The distribution tenant is there without its domain: that is with another one of this account."""
        try:
            self._client.update_domain_association(Domain=host, TargetResource={"DistributionTenantId": tenant["Id"]})
        except ClientError as error:
            if _code(error) in {"IllegalUpdate", "InvalidArgument", "EntityNotFound"}:
                return Serving(False, f"{host} is still tied to another CloudFront distribution: disable it there")
            raise
        return Serving(False, "the domain is moved here")

    def _certify(self, host: str, tenant: Tenant, etag: str) -> Serving:
        details = self._certificate(tenant["Id"])
        status, arn = details.get("CertificateStatus", ""), details.get("CertificateArn")
        if status == "issued" and arn:
            held = tenant.get("Customizations", {}).get("Certificate", {}).get("Arn")
            if held != arn:
                customizations = {**tenant.get("Customizations", {}), "Certificate": {"Arn": arn}}
                self._client.update_distribution_tenant(Id=tenant["Id"], IfMatch=etag, Customizations=customizations)
            return Serving(False, "the certificate is being installed")
        checks = self._client.verify_dns_configuration(Identifier=tenant["Id"], Domain=host)
        for check in checks.get("DnsConfigurationList", []):
            if check["Domain"] == host and check["Status"] == "invalid-configuration":
                return Serving(False, check.get("Reason") or "the domain does not point here")
        if not details or status in _NO_CERTIFICATE:
            self._client.update_distribution_tenant(
                Id=tenant["Id"], IfMatch=etag, ManagedCertificateRequest=_certificate_request(host)
            )
            return Serving(False, "a certificate is asked for")
        return Serving(False, "the certificate is being issued")

    def _certificate(self, tenant_id: str) -> dict[str, Any]:
        try:
            answer = self._client.get_managed_certificate_details(Identifier=tenant_id)
        except ClientError as error:
            if _code(error) == "EntityNotFound":
                return {}
            raise
        return cast(dict[str, Any], answer.get("ManagedCertificateDetails", {}))

    # --- And back -----------------------------------------------------------------------------------------------------

    def withdraw(self, host: str) -> bool:
        with mapped():
            found = self.find(name_of(host))
            if found is None:
                return True
            tenant, etag = found
            try:
                if tenant.get("Enabled", False):
                    self._client.update_distribution_tenant(Id=tenant["Id"], IfMatch=etag, Enabled=False)
                    return False
                if tenant.get("Status") != "Deployed":
                    return False
                self._client.delete_distribution_tenant(Id=tenant["Id"], IfMatch=etag)
            except ClientError as error:
                if _code(error) in {*_CHANGED_MEANWHILE, "ResourceNotDisabled"}:
                    return False
                if _code(error) != "EntityNotFound":
                    raise
            return True

    # --- Invalidation -------------------------------------------------------------------------------------------------

    def invalidate(self, host: str, paths: list[str], reference: str) -> None:
        """Nothing to do for a host that CloudFront does not serve."""
        with mapped({"TooManyInvalidationsInProgress": Unavailable("CloudFront takes no more invalidations now")}):
            inside = host == self._hosting.base_domain or host.endswith("." + self._hosting.base_domain)
            found = self.find(self._hosting.base_tenant if inside else name_of(host))
            if found is None:
                return
            items = [path + "*" for path in paths]
            self._client.create_invalidation_for_distribution_tenant(
                Id=found[0]["Id"],
                InvalidationBatch={"Paths": {"Quantity": len(items), "Items": items}, "CallerReference": reference},
            )

    def find(self, name: str) -> tuple[Tenant, str] | None:
        """The distribution tenant of that name, and its ETag for the next change."""
        try:
            answer = self._client.get_distribution_tenant(Identifier=name)
        except ClientError as error:
            if _code(error) == "EntityNotFound":
                return None
            raise
        return answer["DistributionTenant"], answer["ETag"]


def _certificate_request(host: str) -> dict[str, str]:
    """Validated over HTTP by CloudFront itself, as soon as the domain points to it."""
    return {
        "ValidationTokenHost": "cloudfront",
        "PrimaryDomainName": host,
        "CertificateTransparencyLoggingPreference": "enabled",
    }


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
