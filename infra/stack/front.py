"""What CloudFront takes from us-east-1 alone: the certificate of the base domain, and the firewall."""

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.stack.deployment import Deployment
from infra.stack.network import retention

REQUESTS_IN_FIVE_MINUTES = 3_000
"""From one address, before CloudFront refuses it: an album of a thousand pictures, three times."""

# A form may hold a style sheet or a logo, and what looks like HTML; the application judges those itself (ADR 0115).
_COUNTED = ("SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY")


class Front(Stack):
    """Deployed before the edge. In another region than us-east-1 its outputs are copied into the deployment's file."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, **props: Any) -> None:
        super().__init__(scope, name, **props)
        self.deployment = deployment
        base = deployment.base_domain
        self.certificate = acm.CfnCertificate(
            self,
            "Certificate",
            domain_name=base,
            subject_alternative_names=[f"*.{base}"],
            validation_method="DNS",
            domain_validation_options=[
                acm.CfnCertificate.DomainValidationOptionProperty(
                    domain_name=base, hosted_zone_id=deployment.hosted_zone_id
                )
            ],
        )
        self.web_acl = self._web_acl()
        self._logs()
        for title, value in (("EdgeCertificate", self.certificate.ref), ("EdgeWebAcl", self.web_acl.attr_arn)):
            CfnOutput(self, f"{title}Output", value=value).override_logical_id(title)

    def _web_acl(self) -> waf.CfnWebACL:
        rules = [
            _managed(0, "AWSManagedRulesAmazonIpReputationList"),
            _managed(1, "AWSManagedRulesKnownBadInputsRuleSet"),
            _managed(2, "AWSManagedRulesCommonRuleSet", counted=_COUNTED),
            waf.CfnWebACL.RuleProperty(
                name="rate",
                priority=3,
                action=waf.CfnWebACL.RuleActionProperty(block={}),
                statement=waf.CfnWebACL.StatementProperty(
                    rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                        aggregate_key_type="IP", limit=REQUESTS_IN_FIVE_MINUTES
                    )
                ),
                visibility_config=_seen("rate"),
            ),
        ]
        return waf.CfnWebACL(
            self,
            "Firewall",
            name=self.deployment.name,
            scope="CLOUDFRONT",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            rules=rules,
            visibility_config=_seen("firewall"),
        )

    def _logs(self) -> None:
        """What was blocked; who was let in is in the load balancer's log. The name's beginning is WAF's rule."""
        group = logs.LogGroup(
            self,
            "FirewallLogs",
            log_group_name=f"aws-waf-logs-{self.deployment.name}",
            retention=retention(self.deployment),
            removal_policy=RemovalPolicy.DESTROY,
        )
        arn = f"arn:{self.partition}:logs:{self.region}:{self.account}:log-group:{group.log_group_name}"
        waf.CfnLoggingConfiguration(
            self,
            "FirewallLogging",
            resource_arn=self.web_acl.attr_arn,
            log_destination_configs=[arn],
            # A cookie is a session.
            redacted_fields=[
                waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": name})
                for name in ("cookie", "authorization")
            ],
            logging_filter={
                "DefaultBehavior": "DROP",
                "Filters": [
                    {
                        "Behavior": "KEEP",
                        "Requirement": "MEETS_ANY",
                        "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}],
                    }
                ],
            },
        )


def _managed(priority: int, name: str, *, counted: tuple[str, ...] = ()) -> waf.CfnWebACL.RuleProperty:
    overrides = [
        waf.CfnWebACL.RuleActionOverrideProperty(name=each, action_to_use=waf.CfnWebACL.RuleActionProperty(count={}))
        for each in counted
    ]
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(
            managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS", name=name, rule_action_overrides=overrides or None
            )
        ),
        visibility_config=_seen(name),
    )


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )
