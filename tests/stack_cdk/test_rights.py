"""A fleet's policy against what its adapters call, action by action: nothing missing, nothing spare.

`operations.json` is what the contract tests were recorded to call (`recorder.py`; its first lines say how),
`USES` which methods of the ports a fleet's code calls, `ACTIONS` what AWS asks for an operation (Service Authorization
Reference). Places within the bucket and negative rights are said by hand below.
"""

import json
from pathlib import Path

import pytest

OPERATIONS = json.loads(Path(__file__).with_name("operations.json").read_text())

ACTIONS: dict[str, set[str]] = {
    "s3:AbortMultipartUpload": {"s3:AbortMultipartUpload"},
    "s3:CompleteMultipartUpload": {"s3:PutObject"},
    "s3:CopyObject": {"s3:GetObject", "s3:PutObject"},
    "s3:CreateMultipartUpload": {"s3:PutObject"},
    "s3:DeleteObject": {"s3:DeleteObject", "s3:DeleteObjectVersion"},  # Deleting means every version (ADR 0073).
    "s3:DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    "s3:GetObject": {"s3:GetObject"},
    "s3:HeadObject": {"s3:GetObject"},
    "s3:ListMultipartUploads": {"s3:ListBucketMultipartUploads"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:ListParts": {"s3:ListMultipartUploadParts"},
    "s3:PutObject": {"s3:PutObject"},
    "s3:UploadPart": {"s3:PutObject"},
    "s3:UploadPartCopy": {"s3:GetObject", "s3:PutObject"},
    "ses:SendRawEmail": {"ses:SendRawEmail"},
    "sqs:ChangeMessageVisibility": {"sqs:ChangeMessageVisibility"},
    "sqs:ChangeMessageVisibilityBatch": {"sqs:ChangeMessageVisibility"},
    "sqs:CreateQueue": set(),  # Where a queue is absent; the stack's are there.
    "sqs:DeleteMessage": {"sqs:DeleteMessage"},
    "sqs:DeleteMessageBatch": {"sqs:DeleteMessage"},
    "sqs:GetQueueAttributes": {"sqs:GetQueueAttributes"},
    "sqs:GetQueueUrl": {"sqs:GetQueueUrl"},
    "sqs:ReceiveMessage": {"sqs:ReceiveMessage"},
    "sqs:SendMessage": {"sqs:SendMessage"},
    "cloudwatch:GetMetricStatistics": {"cloudwatch:GetMetricStatistics"},
    "cloudwatch:PutMetricData": {"cloudwatch:PutMetricData"},
    # The certificate that CloudFront manages is asked for in the caller's name (CloudFront Developer Guide).
    "cloudfront:CreateDistributionTenant": {"cloudfront:CreateDistributionTenant", "acm:RequestCertificate"},
    "cloudfront:CreateInvalidationForDistributionTenant": {"cloudfront:CreateInvalidationForDistributionTenant"},
    "cloudfront:DeleteDistributionTenant": {"cloudfront:DeleteDistributionTenant"},
    "cloudfront:GetDistributionTenant": {"cloudfront:GetDistributionTenant"},
    "cloudfront:GetManagedCertificateDetails": {"cloudfront:GetManagedCertificateDetails", "acm:DescribeCertificate"},
    "cloudfront:UpdateDistributionTenant": {"cloudfront:UpdateDistributionTenant", "acm:RequestCertificate"},
    "cloudfront:UpdateDomainAssociation": {"cloudfront:UpdateDomainAssociation"},
    "cloudfront:VerifyDnsConfiguration": {"cloudfront:VerifyDnsConfiguration"},
} | {
    f"sdb:{name}": {f"sdb:{name}"}
    for name in [
        "BatchDeleteAttributes",
        "BatchPutAttributes",
        "CreateDomain",
        "DeleteAttributes",
        "GetAttributes",
        "PutAttributes",
        "Select",
    ]
}

_EDGE = {"DistributionTenants.serve", "DistributionTenants.withdraw", "DistributionTenants.invalidate"}
# A stream reads when it is read, and a listing lists when it is asked for the next.
_READ = {"S3Blobs.stat", "S3Blobs.open", "ObjectStream.read", "PieceStream.read"}
_LIST = {"Bucket.list"}
USES: dict[str, set[str]] = {
    # Pages, downloads, cards of albums, domains.
    "web": {*_READ, *_LIST, "S3Blobs.put", "S3Blobs.delete", "SimpleDbKeyValue.get", "SesMail.send", *_EDGE},
    # Arriving uploads, their sweep, the relay of jobs, copies of originals (uploader/placing.py), `tenants import`.
    "upload": {
        *("S3Blobs.stat", "S3Blobs.copy", "S3Intake", "S3Writer", "Multipart.copy"),
        *("SqsQueue.send", "SqsQueue.depth"),
        *("SimpleDbKeyValue.get", "SimpleDbKeyValue.put"),
    },
    # Jobs: fetch an original, put renditions, remove those of an older attempt; exports, which list a brand; the
    # bridge and its gauges.
    "processor": {
        *_READ,
        *_LIST,
        "S3Blobs.fetch",
        "S3Blobs.put",
        "S3Blobs.delete_prefix",
        "SqsQueue.receive",
        "SqsQueue.extend",
        "SqsQueue.delete",
        "SqsQueue.depth",
        "SimpleDbKeyValue.put",
    },
    # reconcile, purge, leftovers, erasure, heal, `billing run`, `trace`, `search`, `domains check`.
    "keeper": {
        *_READ,
        *_LIST,
        "S3Blobs.delete",
        "S3Blobs.delete_prefix",
        "SqsQueue.dead",
        "SqsQueue.redrive",
        "SqsQueue.depth",
        "SimpleDbKeyValue.get",
        *("SimpleDbKeyValue.delete", "SimpleDbKeyValue.delete_prefix", "SimpleDbKeyValue._select"),
        *("S3LostObjects", "CloudFrontLogs", "SesMail.send"),
        *_EDGE,
    },
}
METRICS = {"cloudwatch:PutMetricData"}  # Every fleet's; `total`, which tests read them back with, no fleet calls.


def _called(fleet: str) -> set[str]:
    """Operations of the methods that a fleet uses; a name without a method stands for all of its class."""
    found = set(METRICS)
    for name, operations in OPERATIONS.items():
        _, kind, method = name.split(".", 2)
        if f"{kind}.{method}" in USES[fleet] or kind in USES[fleet]:
            found.update(operations)
    return found


def _granted(synthesis, fleet: str) -> set[str]:
    (policy,) = [
        resource["Properties"]
        for name, resource in synthesis.templates[fleet]["Resources"].items()
        if name.startswith("AdapterRights")
    ]
    statements = policy["PolicyDocument"]["Statement"]
    found: set[str] = set()
    for statement in statements:
        found |= set(statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
    return found


def test_every_method_that_a_fleet_uses_was_recorded():
    recorded = {name.split(".", 1)[1] for name in OPERATIONS} | {name.split(".")[1] for name in OPERATIONS}
    for fleet, methods in USES.items():
        assert methods - recorded == set(), fleet
    assert set().union(*OPERATIONS.values()) >= METRICS


@pytest.mark.parametrize("fleet", USES)
def test_a_policy_allows_what_is_called_and_no_more(every, fleet):
    needed: set[str] = set().union(*(ACTIONS[operation] for operation in _called(fleet)))
    if every.deployment.media_metadata != "simpledb":
        needed = {action for action in needed if not action.startswith("sdb:")}
    if every.deployment.edge != "cloudfront":
        needed = {action for action in needed if not action.startswith(("cloudfront:", "acm:"))}
    if not every.deployment.mail_from:
        needed.discard("ses:SendRawEmail")
    if every.deployment.deliveries != "cloudfront":
        needed.discard("cloudwatch:GetMetricStatistics")
    if every.deployment.makes_domains:
        needed.discard("sdb:CreateDomain")  # tests/unit/test_aws_simpledb_domains.py: never called for given domains.
    granted = _granted(every, fleet) - {
        "kms:Decrypt",
        "kms:GenerateDataKey",
    }  # S3 asks for these.
    # Without it S3 answers 403 instead of 404 for an object that is not there.
    assert (needed | {"s3:ListBucket"}) - granted == set(), "missing"
    assert granted - (needed | {"s3:ListBucket"}) == set(), "spare"


def _places(synthesis, fleet: str) -> dict[str, set[str]]:
    """Actions on objects by the place in the bucket."""
    found: dict[str, set[str]] = {}
    for policy in synthesis.of("AWS::IAM::ManagedPolicy", fleet):
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, resources = (
                each if isinstance(each, list) else [each] for each in (statement["Action"], statement["Resource"])
            )
            for resource in resources:
                if isinstance(resource, dict) and "Fn::Join" in resource and any(a.startswith("s3:") for a in actions):
                    place = resource["Fn::Join"][1][-1].removeprefix("/")
                    found.setdefault(place, set()).update(actions)
    return found


def test_upload_reads_no_rendition_and_no_brand(every):
    assert set(_places(every, "upload")) == {"t/*/o/*", "t/*/ready", "arriving/*", "*.tar.gz"}


def test_web_and_processors_only_read_originals(every):
    for fleet in ("web", "processor"):
        assert _places(every, fleet)["t/*/o/*"] == {"s3:GetObject"}


def test_web_and_keeper_write_no_rendition(every):
    assert _places(every, "web")["t/*/r/*"] == {"s3:GetObject"}
    assert "s3:PutObject" not in _places(every, "keeper")["t/*/r/*"]


def test_no_fleet_may_change_rights_or_secrets(every):
    for fleet in USES:
        for policy in every.of("AWS::IAM::ManagedPolicy", fleet):
            for statement in policy["PolicyDocument"]["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert not [each for each in actions if each.endswith("*") or each.startswith(("iam:", "sts:"))]
                assert {each for each in actions if each.startswith("secretsmanager:")} <= {
                    "secretsmanager:GetSecretValue"
                }
