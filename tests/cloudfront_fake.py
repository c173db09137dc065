# ruff: noqa: N803  # Parameters are named as the service model names them.
"""A fake of CloudFront's distribution tenants, behind a real botocore client.

What is asked goes through botocore's own validation against the service model, and so do the answers; in between is a
dictionary. It knows what the adapter depends on: names and domains are unique, changes need the current ETag, a domain
becomes active with its certificate installed, a certificate is issued once DNS points here, changes take a while
(`settle`), and a tenant is deleted only when it is disabled and deployed so. It is no proof of how AWS behaves.
"""

import itertools
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

DISTRIBUTION = "E1MULTITENANT"
GROUP = "cg_1"
BASE_TENANT = "base-sites"


class Crash(BaseException):
    """The process ends here."""


class CloudFrontFake:
    """`points_here`: hosts whose DNS leads to the connection group. `elsewhere`: domains of other distributions, which
    this account may move or not."""

    def __init__(self) -> None:
        self.tenants: dict[str, dict[str, Any]] = {}
        self.certificates: dict[str, dict[str, Any]] = {}
        self.points_here: set[str] = set()
        self.elsewhere: dict[str, bool] = {}
        self.invalidations: dict[str, tuple[str, list[str]]] = {}
        self.calls: list[str] = []
        self.crash_at: tuple[int, str] | None = None
        """The number of a call, and whether the process ends "before" or "after" it took effect."""
        self._numbers = itertools.count(1)
        self._client = boto3.client(
            "cloudfront", region_name="us-east-1", aws_access_key_id="fake", aws_secret_access_key="fake"
        )
        self._asked: dict[str, Any] = {}
        self._client.meta.events.register_first("provide-client-params.cloudfront.*", self._note)
        self._client.meta.events.register_first("before-call.cloudfront.*", self._answer)

    def get(self, service: str, **_config: Any) -> Any:
        """As `infra.aws.client.Clients.get`."""
        assert service == "cloudfront"
        return self._client

    def settle(self) -> None:
        """Time passes: changes are deployed, and certificates issued where DNS points here."""
        for tenant in self.tenants.values():
            tenant["Status"] = "Deployed"
            details = self.certificates.get(tenant["Id"])
            domain = tenant["Domains"][0]["Domain"] if tenant["Domains"] else ""
            if details and details["CertificateStatus"] == "pending-validation" and domain in self.points_here:
                details["CertificateStatus"] = "issued"
            installed = tenant.get("Customizations", {}).get("Certificate", {}).get("Arn")
            if details and installed == details["CertificateArn"] and tenant["Domains"]:
                tenant["Domains"][0]["Status"] = "active"

    def _note(self, params: dict[str, Any], **_about: Any) -> None:
        self._asked = params

    def _answer(self, model: Any, **_about: Any) -> Any:
        self.calls.append(model.name)
        number = len(self.calls)
        if self.crash_at == (number, "before"):
            raise Crash
        answer = getattr(self, f"_do_{model.name}")(**self._asked) or {}
        if self.crash_at == (number, "after"):
            raise Crash
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return _Http(), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    def _refuse(self, code: str) -> ClientError:
        metadata = {"HTTPStatusCode": 404 if code == "EntityNotFound" else 409}
        return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": metadata}, "fake")

    def _found(self, identifier: str) -> dict[str, Any]:
        for tenant in self.tenants.values():
            if identifier in (tenant["Id"], tenant["Name"]):
                return tenant
        raise self._refuse("EntityNotFound")

    def _changed(self, identifier: str, etag: str) -> dict[str, Any]:
        tenant = self._found(identifier)
        if etag != self._etag(tenant):
            raise self._refuse("PreconditionFailed")
        return tenant

    def _etag(self, tenant: dict[str, Any]) -> str:
        return f"E{tenant['_version']}"

    def _touch(self, tenant: dict[str, Any]) -> None:
        tenant["_version"] = next(self._numbers)
        tenant["Status"] = "InProgress"

    def _shown(self, tenant: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in tenant.items() if name != "_version"}
        return {"DistributionTenant": shown, "ETag": self._etag(tenant)}

    def _request(self, tenant: dict[str, Any]) -> None:
        self.certificates[tenant["Id"]] = {
            "CertificateArn": f"arn:aws:acm:us-east-1:1:certificate/{next(self._numbers)}",
            "CertificateStatus": "pending-validation",
            "ValidationTokenHost": "cloudfront",
        }

    # --- Operations ---------------------------------------------------------------------------------------------------

    def _do_CreateDistributionTenant(self, Name: str, Domains: list[dict[str, str]], **rest: Any) -> dict[str, Any]:
        if rest["DistributionId"] != DISTRIBUTION or rest["ConnectionGroupId"] != GROUP:
            raise self._refuse("InvalidArgument")
        if any(tenant["Name"] == Name for tenant in self.tenants.values()):
            raise self._refuse("EntityAlreadyExists")
        taken = {domain["Domain"] for tenant in self.tenants.values() for domain in tenant["Domains"]}
        if any(domain["Domain"] in taken | self.elsewhere.keys() for domain in Domains):
            raise self._refuse("CNAMEAlreadyExists")
        made = {
            "Id": f"dt_{next(self._numbers)}",
            "Name": Name,
            "Domains": [{"Domain": domain["Domain"], "Status": "inactive"} for domain in Domains],
            "Enabled": rest["Enabled"],
        }
        self._touch(made)
        self.tenants[made["Id"]] = made
        if "ManagedCertificateRequest" in rest:
            self._request(made)
        return self._shown(made)

    def _do_GetDistributionTenant(self, Identifier: str) -> dict[str, Any]:
        return self._shown(self._found(Identifier))

    def _do_UpdateDistributionTenant(self, Id: str, IfMatch: str, **changes: Any) -> dict[str, Any]:
        tenant = self._changed(Id, IfMatch)
        if changes.pop("ManagedCertificateRequest", None):
            self._request(tenant)
        tenant.update(changes)
        self._touch(tenant)
        return self._shown(tenant)

    def _do_DeleteDistributionTenant(self, Id: str, IfMatch: str) -> None:
        tenant = self._changed(Id, IfMatch)
        if tenant["Enabled"] or tenant["Status"] != "Deployed":
            raise self._refuse("ResourceNotDisabled")
        del self.tenants[Id]

    def _do_VerifyDnsConfiguration(self, Identifier: str, Domain: str) -> dict[str, Any]:
        self._found(Identifier)
        right = Domain in self.points_here
        status = "valid-configuration" if right else "invalid-configuration"
        return {"DnsConfigurationList": [{"Domain": Domain, "Status": status, "Reason": "" if right else "no CNAME"}]}

    def _do_GetManagedCertificateDetails(self, Identifier: str) -> dict[str, Any]:
        tenant = self._found(Identifier)
        if tenant["Id"] not in self.certificates:
            raise self._refuse("EntityNotFound")
        return {"ManagedCertificateDetails": dict(self.certificates[tenant["Id"]])}

    def _do_UpdateDomainAssociation(self, Domain: str, TargetResource: dict[str, str]) -> dict[str, Any]:
        tenant = self._found(TargetResource["DistributionTenantId"])
        if not self.elsewhere.get(Domain, False):
            raise self._refuse("IllegalUpdate")
        del self.elsewhere[Domain]
        tenant["Domains"].append({"Domain": Domain, "Status": "inactive"})
        self._touch(tenant)
        return {"Domain": Domain, "ResourceId": tenant["Id"], "ETag": self._etag(tenant)}

    def _do_CreateInvalidationForDistributionTenant(self, Id: str, InvalidationBatch: dict[str, Any]) -> dict[str, Any]:
        tenant = self._found(Id)
        assert tenant["Id"] == Id, "an invalidation takes the id, not the name"
        reference = InvalidationBatch["CallerReference"]
        self.invalidations[reference] = (tenant["Name"], InvalidationBatch["Paths"]["Items"])
        return {}


class _Http:
    status_code = 200
