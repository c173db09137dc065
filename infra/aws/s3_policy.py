"""Documents that AWS enforces around the bucket. Pure functions: whoever sets up the stack hands them to AWS."""

import re
from typing import Any

from infra import keys
from infra.aws.s3_intake import ROOT

_OBJECT = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
_LISTING = ("s3:ListBucket", "s3:ListBucketVersions")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]+")  # Neither a wildcard (* ?) nor a policy variable (${…}).


def session_policy(bucket: str, prefix: str, *, partition: str = "aws") -> dict[str, Any]:
    """The policy for STS AssumeRole's `Policy` with which a session reaches what is below one prefix, and no more.

    `prefix` ends in a slash. A session has what both its role and this allow; STS takes 2,048 characters at most.
    Everything that the adapters do for one tenant is allowed: `S3Blobs` and `S3Intake` work with it unchanged.
    Unfinished uploads are the exception to "no more": S3 has no `s3:prefix` for listing them (Service Authorization
    Reference), so a session sees the keys of everybody's, and can touch its own alone.
    """
    if not _PREFIX.fullmatch(keys.checked_folder(prefix)):
        raise ValueError(f"not a plain prefix: {prefix!r}")
    arn = f"arn:{partition}:s3:::{bucket}"
    places = [prefix, ROOT + prefix]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Objects",
                "Effect": "Allow",
                "Action": list(_OBJECT),
                "Resource": [f"{arn}/{place}*" for place in places],
            },
            {
                "Sid": "Listing",
                "Effect": "Allow",
                "Action": list(_LISTING),
                "Resource": arn,
                "Condition": {"StringLike": {"s3:prefix": [f"{place}*" for place in places]}},
            },
            {"Sid": "Unfinished", "Effect": "Allow", "Action": "s3:ListBucketMultipartUploads", "Resource": arn},
        ],
    }


def bucket_rules(*, abandoned_days: int = 7, kept_days: int = 30) -> dict[str, Any]:
    """PutBucketLifecycleConfiguration's `LifecycleConfiguration`: what is left when everything else failed.

    - Parts of multipart uploads that nobody completed go after `abandoned_days`. The sweep removes them sooner.
    - Arriving uploads go after `kept_days`: more than an upload may take, which VITRINE_UPLOAD_EXPIRY only bounds by
      its idle time.
    - Versions that were overwritten or deleted by hand can be brought back for `kept_days`. The app deletes by version.
    """

    def rule(name: str, prefix: str = "", **action: Any) -> dict[str, Any]:
        return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}, **action}

    return {
        "Rules": [
            rule("abandoned-uploads", AbortIncompleteMultipartUpload={"DaysAfterInitiation": abandoned_days}),
            rule(
                "forgotten-arrivals",
                ROOT,
                Expiration={"Days": kept_days},
                NoncurrentVersionExpiration={"NoncurrentDays": 1},
            ),
            rule("old-versions", NoncurrentVersionExpiration={"NoncurrentDays": kept_days}),
            rule("bare-markers", Expiration={"ExpiredObjectDeleteMarker": True}),
        ]
    }
