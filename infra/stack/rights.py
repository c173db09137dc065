"""What each fleet may do: the actions behind the adapters' operations, on the resources that it works with.

`tests/stack_cdk/test_rights.py` compares it, action by action, with what the adapters were recorded to call
(`operations.json`) and with which of them the fleets' code uses: nothing missing, nothing spare.
"""

from collections.abc import Iterator, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from infra.stack.data import Data
from infra.stack.deliveries import bucket_name
from infra.stack.deployment import EDGE_REGION
from infra.stack.environment import EDGED, LOG_PREFIX, POSTING, namespace, reports_losses, simpledb_domain

# Places in the bucket, by `tenants/names.py` and `infra/aws/s3_intake.py`. Readiness asks for what is not there.
ORIGINALS, RENDITIONS, BRANDS, CARDS, READY = "t/*/o/*", "t/*/r/*", "t/*/b/*", "t/*/c/*", "t/*/ready"
EXPORTS = "t/*/x/*"
ARRIVING = "arriving/*"

# fleet: place: actions on objects there.
_READ, _WRITE = ("s3:GetObject",), ("s3:PutObject", "s3:AbortMultipartUpload")
_ERASE = ("s3:DeleteObject", "s3:DeleteObjectVersion")
_GONE = (*_ERASE, "s3:AbortMultipartUpload")
OBJECTS: dict[str, dict[str, tuple[str, ...]]] = {
    # Copies of originals are made by the upload fleet (ADR 0192).
    "web": {
        ORIGINALS: _READ,
        RENDITIONS: _READ,
        BRANDS: _READ + _WRITE,
        CARDS: _READ + _WRITE + _ERASE,
        EXPORTS: _READ,
        READY: _READ,
    },
    "upload": {ORIGINALS: _READ + _WRITE + _ERASE, ARRIVING: _READ + _WRITE + _ERASE, READY: _READ},
    "processor": {
        ORIGINALS: _READ,
        RENDITIONS: _READ + _WRITE + _ERASE,
        BRANDS: _READ,
        EXPORTS: _READ + _WRITE,
        READY: _READ,
    },
    # It ends what tenants deleted (processor/purge.py), what no row names, and whole tenants (processor/erasing.py).
    "keeper": {
        **dict.fromkeys((ORIGINALS, RENDITIONS, BRANDS, CARDS, EXPORTS), _READ + _GONE),
        ARRIVING: _READ + _GONE,
        READY: _READ,
    },
}
# Without s3:ListBucket S3 answers 403 for what is not there. It cannot be bound to a prefix for that answer.
LISTINGS: dict[str, tuple[str, ...]] = {
    "web": ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"),
    "upload": ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"),
    "processor": ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"),
    "keeper": ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"),
}
_FIND = ("sqs:GetQueueUrl", "sqs:GetQueueAttributes")
_WORK = ("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage")
# fleet: (actions on the two queues of jobs, actions on the dead letters).
QUEUES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "upload": ((*_FIND, "sqs:SendMessage"), _FIND),
    "processor": ((*_FIND, *_WORK), _FIND),
    "keeper": ((*_FIND, "sqs:SendMessage"), (*_FIND, *_WORK)),
}
ITEMS: dict[str, tuple[str, ...]] = {
    "web": ("sdb:GetAttributes",),
    # `tenants import` brings the attributes of a dump along.
    "upload": ("sdb:PutAttributes", "sdb:GetAttributes"),
    # Whether a put that was sent twice took effect is read.
    "processor": ("sdb:PutAttributes", "sdb:GetAttributes"),
    # The last two end a whole tenant (processor/erasing.py).
    "keeper": ("sdb:GetAttributes", "sdb:DeleteAttributes", "sdb:Select", "sdb:BatchDeleteAttributes"),
}
CLOUDFRONT = (
    "cloudfront:CreateDistributionTenant",
    "cloudfront:GetDistributionTenant",
    "cloudfront:UpdateDistributionTenant",
    "cloudfront:DeleteDistributionTenant",
    "cloudfront:VerifyDnsConfiguration",
    "cloudfront:GetManagedCertificateDetails",
    "cloudfront:UpdateDomainAssociation",
    "cloudfront:CreateInvalidationForDistributionTenant",
)
CERTIFICATES = ("acm:RequestCertificate", "acm:DescribeCertificate")


def statements(data: Data, fleet: str) -> Iterator[iam.PolicyStatement]:
    """Of the adapters; what the machine itself needs is in `infra/stack/fleet.py`."""
    deployment = data.deployment
    for place, actions in OBJECTS[fleet].items():
        yield _allow(actions, [data.bucket.arn_for_objects(place)])
    yield _allow(LISTINGS[fleet], [data.bucket.bucket_arn])
    if data.key:
        yield _allow(("kms:Decrypt", "kms:GenerateDataKey"), [data.key.key_arn])
    if fleet in QUEUES:
        jobs, dead = QUEUES[fleet]
        yield _allow(jobs, [data.queue.queue_arn, data.bulk_queue.queue_arn])
        yield _allow(dead, [data.dead_queue.queue_arn])
    if fleet == "keeper" and reports_losses(deployment):
        lost = ("sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage")
        yield _allow(lost, [data.lost_queue.queue_arn])
    if fleet in ITEMS and deployment.media_metadata == "simpledb":
        created = () if deployment.makes_domains else ("sdb:CreateDomain",)
        yield _allow((*ITEMS[fleet], *created), _domains(data))
    if fleet in POSTING and deployment.mail_from:
        identity = f"arn:{data.partition}:ses:{data.region}:{data.account}:identity/{deployment.base_domain}"
        yield _allow(("ses:SendRawEmail",), [identity], {"StringEquals": {"ses:FromAddress": deployment.mail_from}})
    own = {"StringEquals": {"cloudwatch:namespace": namespace(deployment)}}
    yield _allow(("cloudwatch:PutMetricData",), ["*"], own)
    if fleet in EDGED and deployment.edge == "cloudfront":
        yield _allow(CLOUDFRONT, _edge(data))
        yield _allow(CERTIFICATES, ["*"])
    if fleet == "keeper" and deployment.deliveries == "cloudfront":
        # `billing run` lists and reads logs, deletes none, and asks how many bytes there ought to be.
        logs = f"arn:{data.partition}:s3:::{bucket_name(data, deployment)}"
        yield _allow(("s3:ListBucket",), [logs])
        yield _allow(("s3:GetObject",), [f"{logs}/{LOG_PREFIX}*"])
        there = {"StringEquals": {"aws:RequestedRegion": EDGE_REGION}}
        yield _allow(("cloudwatch:GetMetricStatistics",), ["*"], there)


def _allow(
    actions: Sequence[str], resources: Sequence[str], conditions: dict[str, dict[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)


def _domains(data: Data) -> list[str]:
    names = [domain.ref for domain in data.domains] or [f"{simpledb_domain(data.deployment)}-*"]
    return [f"arn:{data.partition}:sdb:{data.region}:{data.account}:domain/{name}" for name in names]


def _edge(stack: Stack) -> list[str]:
    """CloudFront's resources have no region, and distribution tenants of domains to come no id yet."""
    kinds = ("distribution", "distribution-tenant", "connection-group")
    return [f"arn:{stack.partition}:cloudfront::{stack.account}:{kind}/*" for kind in kinds]
