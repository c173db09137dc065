"""CloudFront's access logs, of which deliveries are billed (ADR 0195): the bucket, and what writes to it.

CloudWatch Logs delivers them ("standard logging v2"), and takes sources of CloudFront in us-east-1 alone, whatever the
bucket's region. So the bucket is the edge's and the delivery has a stack of its own there.
"""

from typing import Any

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.stack.deployment import EDGE_REGION, Deployment
from infra.stack.environment import LOG_PREFIX
from infra.stack.network import Network

KEPT_DAYS = 7
"""The bucket is listed each minute; billing must not stand still for more than three days (ADR 0182)."""

FIELDS = ("date", "time", "sc-bytes", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "x-host-header")
"""What `infra/aws/cloudfront_lines.py` reads. No address, no query and no cookie of a visitor is written down."""


def bucket_name(stack: Stack, deployment: Deployment) -> str:
    """Named, so that the stack in us-east-1 and the keeper's policy can say it without the edge's stack."""
    return f"{deployment.name}-deliveries-{stack.account}-{deployment.region}"


def log_bucket(scope: Stack, network: Network) -> s3.Bucket:
    """CloudWatch Logs may add files for this deployment's delivery, and nobody may change one: bills are made of them.

    SSE-S3, as logs hold no address of a visitor and a key of one's own would have one more user.
    """
    deployment = network.deployment
    bucket = s3.Bucket(
        scope,
        "Deliveries",
        bucket_name=bucket_name(scope, deployment),
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        versioned=False,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=Duration.days(KEPT_DAYS), abort_incomplete_multipart_upload_after=Duration.days(1)
            )
        ],
        removal_policy=RemovalPolicy.RETAIN if deployment.keep else RemovalPolicy.DESTROY,
    )
    source = f"arn:{scope.partition}:logs:{EDGE_REGION}:{scope.account}:delivery-source:{_name(deployment)}"
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AccessLogsOfTheDistribution",
            principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
            actions=["s3:PutObject"],
            resources=[bucket.arn_for_objects(f"{LOG_PREFIX}{scope.account}/*")],
            conditions={
                "StringEquals": {
                    "s3:x-amz-acl": "bucket-owner-full-control",
                    "aws:SourceAccount": scope.account,
                },
                "ArnEquals": {"aws:SourceArn": source},
            },
        )
    )
    network.log_accesses(bucket, "deliveries")
    return bucket


class Deliveries(Stack):
    """In us-east-1, after the edge: its distribution is the source, its bucket the destination."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment, distribution: str, **props: Any) -> None:
        """`distribution` is the id of CloudFront's."""
        super().__init__(scope, name, **props)
        source = logs.CfnDeliverySource(
            self,
            "Source",
            name=_name(deployment),
            log_type="ACCESS_LOGS",
            resource_arn=f"arn:{self.partition}:cloudfront::{self.account}:distribution/{distribution}",
        )
        destination = logs.CfnDeliveryDestination(
            self,
            "Destination",
            name=_name(deployment),
            delivery_destination_type="S3",
            destination_resource_arn=f"arn:{self.partition}:s3:::{bucket_name(self, deployment)}",
            output_format="w3c",
        )
        delivery = logs.CfnDelivery(
            self,
            "Delivery",
            delivery_source_name=source.name,
            delivery_destination_arn=destination.attr_arn,
            record_fields=list(FIELDS),
            field_delimiter="\t",
            s3_suffix_path="{DistributionId}/{yyyy}/{MM}/{dd}/{HH}",
            s3_enable_hive_compatible_path=False,
        )
        delivery.add_dependency(source)  # It is named, not referred to.


def _name(deployment: Deployment) -> str:
    return f"{deployment.name}-deliveries"
