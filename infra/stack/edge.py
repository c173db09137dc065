"""CloudFront in front of the web fleet: one multi-tenant distribution, and a distribution tenant for the base domain.

Tenants' own domains become distribution tenants when they are claimed (`infra/aws/cloudfront_tenants.py`), with the
same origin and behaviours. What CloudFront does not have it asks the application for (ADR 0122), so the one thing that
it reads from a bucket is the page for when no application answers.
"""

from typing import Any

from aws_cdk import CfnOutput, Fn, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_iam as iam
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.stack.deliveries import bucket_name, log_bucket
from infra.stack.environment import key_digest
from infra.stack.front import Front
from infra.stack.network import ORIGIN_HEADER, Network

# Ids that AWS documents ("Use managed cache policies", "Use managed origin request policies").
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"

APP, PAGES = "app", "pages"
UNAVAILABLE = "/_edge/unavailable.html"
_HTTPS = "redirect-to-https"
_EVERY_METHOD = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]


class Edge(Stack):
    """`outputs` is `infra.stack.environment.EDGE_OUTPUTS`."""

    def __init__(self, scope: Construct, name: str, network: Network, front: Front | None, **props: Any) -> None:
        super().__init__(scope, name, **props)
        self.network, self.deployment = network, network.deployment
        self.certificate = front.certificate.ref if front else self.deployment.edge_certificate
        self.web_acl = front.web_acl.attr_arn if front else self.deployment.edge_web_acl
        self.pages = self._pages()
        self.keys = self._keys()
        self.distribution = self._distribution()
        self._let_in()
        self.connections = cloudfront.CfnConnectionGroup(
            self, "Connections", name=self.deployment.name, enabled=True, ipv6_enabled=True
        )
        self.base = self._base_tenant()
        if self.deployment.deliveries == "cloudfront":
            log_bucket(self, self.network)
        self._names()
        self.outputs = self._outputs()

    def _pages(self) -> s3.Bucket:
        pages = s3.Bucket(
            self,
            "Pages",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
        )
        self.network.log_accesses(pages, "pages")
        return pages

    def _keys(self) -> list[cloudfront.CfnPublicKey]:
        """A key cannot be changed, so its name has a digest of it: a new one is a new resource."""
        found = []
        for pem in self.deployment.cloudfront_public_keys:
            digest = key_digest(pem)
            config = cloudfront.CfnPublicKey.PublicKeyConfigProperty(
                caller_reference=digest, encoded_key=pem.strip() + "\n", name=f"{self.deployment.name}-{digest}"
            )
            found.append(cloudfront.CfnPublicKey(self, f"Key{digest}", public_key_config=config))
        return found

    # -- the distribution --

    def _distribution(self) -> cloudfront.CfnDistribution:
        config = cloudfront.CfnDistribution.DistributionConfigProperty(
            comment=f"Sites of {self.deployment.name}",
            enabled=True,
            connection_mode="tenant-only",
            http_version="http2and3",
            web_acl_id=self.web_acl,
            viewer_certificate=cloudfront.CfnDistribution.ViewerCertificateProperty(
                acm_certificate_arn=self.certificate,
                minimum_protocol_version="TLSv1.2_2021",
                ssl_support_method="sni-only",
            ),
            origins=[self._app_origin(), self._pages_origin()],
            default_cache_behavior=self._default(),
            cache_behaviors=self._behaviours(),
            custom_error_responses=_errors(),
            tenant_config=cloudfront.CfnDistribution.TenantConfigProperty(parameter_definitions=[]),
        )
        return cloudfront.CfnDistribution(self, "Distribution", distribution_config=config)

    def _app_origin(self) -> cloudfront.CfnDistribution.OriginProperty:
        said = (
            self.network.origin_secret.secret_value.unsafe_unwrap()
        )  # A dynamic reference: the template has no value.
        return cloudfront.CfnDistribution.OriginProperty(
            id=APP,
            domain_name=self.deployment.origin_host,
            custom_origin_config=cloudfront.CfnDistribution.CustomOriginConfigProperty(
                origin_protocol_policy="https-only", origin_ssl_protocols=["TLSv1.2"], origin_read_timeout=60
            ),
            origin_custom_headers=[
                cloudfront.CfnDistribution.OriginCustomHeaderProperty(header_name=ORIGIN_HEADER, header_value=said)
            ],
        )

    def _pages_origin(self) -> cloudfront.CfnDistribution.OriginProperty:
        control = cloudfront.CfnOriginAccessControl(
            self,
            "PagesAccess",
            origin_access_control_config=cloudfront.CfnOriginAccessControl.OriginAccessControlConfigProperty(
                name=f"{self.deployment.name}-pages",
                origin_access_control_origin_type="s3",
                signing_behavior="always",
                signing_protocol="sigv4",
            ),
        )
        return cloudfront.CfnDistribution.OriginProperty(
            id=PAGES,
            domain_name=self.pages.bucket_regional_domain_name,
            origin_access_control_id=control.attr_id,
            s3_origin_config=cloudfront.CfnDistribution.S3OriginConfigProperty(origin_access_identity=""),
        )

    def _default(self) -> cloudfront.CfnDistribution.DefaultCacheBehaviorProperty:
        return cloudfront.CfnDistribution.DefaultCacheBehaviorProperty(
            target_origin_id=APP,
            viewer_protocol_policy=_HTTPS,
            allowed_methods=_EVERY_METHOD,
            cache_policy_id=CACHING_DISABLED,
            origin_request_policy_id=ALL_VIEWER,
            response_headers_policy_id=self._headers().attr_id,
            compress=True,
        )

    def _behaviours(self) -> list[cloudfront.CfnDistribution.CacheBehaviorProperty]:
        """The first that fits is taken: open ways stand before the rule for all of them."""
        group = cloudfront.CfnKeyGroup(
            self,
            "Signers",
            key_group_config=cloudfront.CfnKeyGroup.KeyGroupConfigProperty(
                name=self.deployment.name, items=[key.attr_id for key in self.keys]
            ),
        )
        cached = self._cache().attr_id

        def media(pattern: str, signers: list[str] | None) -> cloudfront.CfnDistribution.CacheBehaviorProperty:
            return cloudfront.CfnDistribution.CacheBehaviorProperty(
                path_pattern=pattern,
                target_origin_id=APP,
                viewer_protocol_policy=_HTTPS,
                allowed_methods=["GET", "HEAD", "OPTIONS"],
                cache_policy_id=cached,
                origin_request_policy_id=ALL_VIEWER,
                trusted_key_groups=signers,
                compress=False,  # Pictures and films are compressed.
            )

        pages = cloudfront.CfnDistribution.CacheBehaviorProperty(
            path_pattern="/_edge/*",
            target_origin_id=PAGES,
            viewer_protocol_policy=_HTTPS,
            allowed_methods=["GET", "HEAD"],
            cache_policy_id=CACHING_OPTIMIZED,
            compress=True,
        )
        return [media("/m/o*", None), media("/m/e*", None), media("/m/*", [group.attr_id]), pages]

    def _cache(self) -> cloudfront.CfnCachePolicy:
        """By path and host alone; for as long as the application's `s-maxage` says, and never longer than a day."""
        of_a_copy = cloudfront.CfnCachePolicy.ParametersInCacheKeyAndForwardedToOriginProperty(
            cookies_config=cloudfront.CfnCachePolicy.CookiesConfigProperty(cookie_behavior="none"),
            headers_config=cloudfront.CfnCachePolicy.HeadersConfigProperty(
                header_behavior="whitelist", headers=["Host"]
            ),
            query_strings_config=cloudfront.CfnCachePolicy.QueryStringsConfigProperty(query_string_behavior="none"),
            enable_accept_encoding_brotli=False,
            enable_accept_encoding_gzip=False,
        )
        config = cloudfront.CfnCachePolicy.CachePolicyConfigProperty(
            name=f"{self.deployment.name}-media",
            min_ttl=0,
            default_ttl=0,
            max_ttl=86_400,
            parameters_in_cache_key_and_forwarded_to_origin=of_a_copy,
        )
        return cloudfront.CfnCachePolicy(self, "Media", cache_policy_config=config)

    def _headers(self) -> cloudfront.CfnResponseHeadersPolicy:
        """What the application says stands; this is for what it does not get to say (errors of the edge itself)."""
        policy = cloudfront.CfnResponseHeadersPolicy
        config = policy.ResponseHeadersPolicyConfigProperty(
            name=f"{self.deployment.name}-sites",
            security_headers_config=policy.SecurityHeadersConfigProperty(
                strict_transport_security=policy.StrictTransportSecurityProperty(
                    access_control_max_age_sec=31_536_000, override=False
                ),
                content_type_options=policy.ContentTypeOptionsProperty(override=True),
                referrer_policy=policy.ReferrerPolicyProperty(
                    referrer_policy="strict-origin-when-cross-origin", override=False
                ),
            ),
            remove_headers_config=policy.RemoveHeadersConfigProperty(
                items=[policy.RemoveHeaderProperty(header="Server")]
            ),
        )
        return cloudfront.CfnResponseHeadersPolicy(self, "Headers", response_headers_policy_config=config)

    # -- what hangs on it --

    def _let_in(self) -> None:
        arn = f"arn:{self.partition}:cloudfront::{self.account}:distribution/{self.distribution.ref}"
        self.pages.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OfTheDistribution",
                principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
                actions=["s3:GetObject"],
                resources=[self.pages.arn_for_objects("_edge/*")],
                conditions={"StringEquals": {"aws:SourceArn": arn}},
            )
        )

    def _base_tenant(self) -> cloudfront.CfnDistributionTenant:
        base = self.deployment.base_domain
        return cloudfront.CfnDistributionTenant(
            self,
            "Base",
            name=f"{self.deployment.name}-base",
            distribution_id=self.distribution.ref,
            connection_group_id=self.connections.attr_id,
            domains=[base, f"*.{base}"],
            enabled=True,
            customizations=cloudfront.CfnDistributionTenant.CustomizationsProperty(
                certificate=cloudfront.CfnDistributionTenant.CertificateProperty(arn=self.certificate)
            ),
        )

    def _names(self) -> None:
        """Names that the load balancer has of its own (`upload`, `origin`) are more exact than the wildcard."""
        base = self.deployment.base_domain
        for title, host in (("Base", base), ("Sites", f"*.{base}")):
            for kind in ("A", "AAAA"):
                route53.CfnRecordSet(
                    self,
                    f"{title}Name{kind}",
                    hosted_zone_id=self.deployment.hosted_zone_id,
                    name=f"{host}.",
                    type=kind,
                    alias_target=route53.CfnRecordSet.AliasTargetProperty(
                        dns_name=self.connections.attr_routing_endpoint, hosted_zone_id=CLOUDFRONT_ZONE
                    ),
                )

    def _outputs(self) -> dict[str, str]:
        found = {
            "Distribution": self.distribution.ref,
            "ConnectionGroup": self.connections.attr_id,
            "BaseTenant": f"{self.deployment.name}-base",
            "RoutingEndpoint": self.connections.attr_routing_endpoint,
        }
        if self.deployment.deliveries == "cloudfront":
            found["DeliveriesBucket"] = bucket_name(self, self.deployment)
        for name, value in {**found, "PagesBucket": self.pages.bucket_name}.items():
            CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)
        ids = [key.attr_id for key in self.keys]
        CfnOutput(self, "PublicKeysOutput", value=Fn.join(",", ids)).override_logical_id("PublicKeys")
        return {**found, "PublicKeys": ",".join(ids)}


def _errors() -> list[cloudfront.CfnDistribution.CustomErrorResponseProperty]:
    """Kept for a second, so that a picture that was just made is seen. The page stands in where nobody
    answered; a 503 is the application's own and says more."""
    error = cloudfront.CfnDistribution.CustomErrorResponseProperty
    plain = [error(error_code=code, error_caching_min_ttl=1) for code in (400, 403, 404, 500, 503)]
    away = [
        error(error_code=code, error_caching_min_ttl=1, response_code=code, response_page_path=UNAVAILABLE)
        for code in (502, 504)
    ]
    return plain + away
