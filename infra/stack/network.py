"""The network, and the one load balancer that both fleets of servers are behind."""

from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.stack.deployment import Deployment

ORIGIN_HEADER = "X-Vitrine-Origin"
WEB_PORT, UPLOAD_PORT, DATABASE_PORT = 8000, 8001, 5432


class Network(Stack):
    """VPC, security groups, load balancer with its certificate and names.

    A group a fleet. What may talk to what is said by groups: the world to the load balancer, the load balancer to the
    servers' ports, fleets to the database. Nothing may talk to processors.
    """

    def __init__(self, scope: Construct, name: str, deployment: Deployment, **props: Any) -> None:
        super().__init__(scope, name, **props)
        self.deployment = deployment
        self.logs = self._logs()
        self.vpc = self._vpc()
        self.balancer_group = self._group("Balancer", "The load balancer")
        self.database_group = self._group("Database", "The database", outbound=False)
        with_proxy = deployment.database.proxy
        self.proxy_group = self._group("Proxy", "The proxy of the database", outbound=False) if with_proxy else None
        self.fleet_groups = {
            fleet: self._group(fleet.title(), f"The {fleet} fleet")
            for fleet in ("web", "upload", "processor", "keeper")
        }
        self._doors()
        self.balancer = self._balancer()
        self.origin_secret = secretsmanager.Secret(
            self,
            "OriginSecret",
            secret_name=f"{deployment.name}/origin",
            description="What CloudFront says to the load balancer, which answers nobody else with a site.",
            generate_secret_string=secretsmanager.SecretStringGenerator(exclude_punctuation=True, password_length=48),
        )
        self.zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=deployment.hosted_zone_id, zone_name=deployment.base_domain
        )
        self.listener = self._listener()
        self._names()

    @property
    def subnets(self) -> ec2.SubnetSelection:
        """Where instances live: behind NAT gateways, or with public addresses of their own and closed doors."""
        private = self.deployment.nat_gateways > 0
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS if private else ec2.SubnetType.PUBLIC)

    def _logs(self) -> s3.Bucket:
        """Access logs of buckets and of the load balancer, which can write to nothing but SSE-S3."""
        bucket = s3.Bucket(
            self,
            "Logs",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=False,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(self.deployment.log_days))],
            removal_policy=RemovalPolicy.RETAIN if self.deployment.keep else RemovalPolicy.DESTROY,
        )
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AccessLogs",
                principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects("buckets/*")],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        return bucket

    def log_accesses(self, bucket: s3.Bucket, name: str) -> None:
        """By the resource itself: the construct's way has this stack's policy name the bucket of a later one."""
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=self.logs.bucket_name, log_file_prefix=f"buckets/{name}/"
        )

    def _vpc(self) -> ec2.Vpc:
        kinds = [
            ec2.SubnetConfiguration(
                name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=22, map_public_ip_on_launch=True
            ),
            ec2.SubnetConfiguration(name="database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26),
        ]
        if self.deployment.nat_gateways:
            private = ec2.SubnetType.PRIVATE_WITH_EGRESS
            kinds.insert(1, ec2.SubnetConfiguration(name="fleet", subnet_type=private, cidr_mask=20))
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr("10.60.0.0/16"),
            availability_zones=list(self.deployment.zones),
            nat_gateways=self.deployment.nat_gateways,
            subnet_configuration=kinds,
            # By a Lambda function of the CDK's; every instance of ours names its group, so that one is never used.
            restrict_default_security_group=False,
        )
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        vpc.add_flow_log(
            "Flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(
                logs.LogGroup(
                    self,
                    "FlowLogs",
                    retention=retention(self.deployment),
                    removal_policy=RemovalPolicy.DESTROY,
                )
            ),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
        return vpc

    def _group(self, name: str, description: str, *, outbound: bool = True) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, f"{name}Group", vpc=self.vpc, description=description, allow_all_outbound=outbound
        )

    def _doors(self) -> None:
        self.balancer_group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "https")
        self.balancer_group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(80), "redirected to https")
        for fleet, port in (("web", WEB_PORT), ("upload", UPLOAD_PORT)):
            self.fleet_groups[fleet].add_ingress_rule(self.balancer_group, ec2.Port.tcp(port), "the load balancer")
        asked = self.database_group
        if self.proxy_group is not None:
            asked = self.proxy_group
            asked.add_egress_rule(self.database_group, ec2.Port.tcp(DATABASE_PORT), "the database")
            self.database_group.add_ingress_rule(asked, ec2.Port.tcp(DATABASE_PORT), "the proxy")
            # Administrators come through the keeper, and past the proxy (docs/stack.md).
            keeper = self.fleet_groups["keeper"]
            self.database_group.add_ingress_rule(keeper, ec2.Port.tcp(DATABASE_PORT), "administrators")
        for fleet, group in self.fleet_groups.items():
            asked.add_ingress_rule(group, ec2.Port.tcp(DATABASE_PORT), f"the {fleet} fleet")

    def _balancer(self) -> elb.ApplicationLoadBalancer:
        balancer = elb.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=self.vpc,
            internet_facing=True,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_group=self.balancer_group,
            drop_invalid_header_fields=True,
            deletion_protection=self.deployment.keep,
            # A phone that sends a part of a video may pause; the upload fleet itself waits a minute.
            idle_timeout=Duration.seconds(120),
        )
        balancer.log_access_logs(self.logs, "balancer")
        return balancer

    def _listener(self) -> elb.ApplicationListener:
        """Whoever asks for no host of ours, or comes to a site past CloudFront, gets a 404 from here."""
        certificate = acm.Certificate(
            self,
            "Certificate",
            domain_name=f"*.{self.deployment.base_domain}",
            subject_alternative_names=[self.deployment.base_domain],
            validation=acm.CertificateValidation.from_dns(self.zone),
        )
        self.balancer.add_redirect()
        return self.balancer.add_listener(
            "Https",
            port=443,
            certificates=[certificate],
            ssl_policy=elb.SslPolicy.RECOMMENDED_TLS,
            open=False,
            default_action=elb.ListenerAction.fixed_response(404, content_type="text/plain", message_body="not here\n"),
        )

    def _names(self) -> None:
        here = route53.RecordTarget.from_alias(targets.LoadBalancerTarget(self.balancer))
        for name, host in (("Origin", self.deployment.origin_host), ("Upload", self.deployment.upload_host)):
            route53.ARecord(self, f"{name}Name", zone=self.zone, record_name=f"{host}.", target=here)
        # Mail comes from the base domain, and only from those whom `mail_from` allows it to (infra/stack/rights.py).
        bounces = f"bounce.{self.deployment.base_domain}"
        mail = ses.EmailIdentity(
            self,
            "Mail",
            identity=ses.Identity.domain(self.deployment.base_domain),
            mail_from_domain=bounces,
        )
        # Without both SES sends from a domain of its own, which many receivers like less.
        back = route53.MxRecordValue(host_name=f"feedback-smtp.{self.deployment.region}.amazonses.com", priority=10)
        route53.MxRecord(self, "Bounces", zone=self.zone, record_name=f"{bounces}.", values=[back])
        route53.TxtRecord(
            self, "Senders", zone=self.zone, record_name=f"{bounces}.", values=["v=spf1 include:amazonses.com ~all"]
        )
        for number, record in enumerate(mail.dkim_records):
            route53.CnameRecord(
                self, f"Dkim{number}", zone=self.zone, record_name=f"{record.name}.", domain_name=record.value
            )
        if self.deployment.edge == "app":
            base = self.deployment.base_domain
            for name, host in (("Base", base), ("Sites", f"*.{base}")):
                route53.ARecord(self, f"{name}Name", zone=self.zone, record_name=f"{host}.", target=here)


_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def retention(deployment: Deployment) -> logs.RetentionDays:
    """How long logs are kept."""
    return _RETENTION[deployment.log_days]
