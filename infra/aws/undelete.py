"""`python -m infra.aws.undelete BUCKET PREFIX`: brings back what was deleted by hand from a versioned bucket.

The newest version of such a key is a delete marker, and removing it (DeleteObject with its VersionId) makes the version
before it the current one. What the application deleted is gone with every version, and stays so. Docs: backup.md.
"""

import sys
from typing import Any

import boto3


def undelete(client: Any, bucket: str, prefix: str) -> list[str]:
    """The keys that are back. Safe to repeat."""
    found = []
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for marker in page.get("DeleteMarkers", ()):
            if marker["IsLatest"]:
                client.delete_object(Bucket=bucket, Key=marker["Key"], VersionId=marker["VersionId"])
                found.append(str(marker["Key"]))
    return found


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("python -m infra.aws.undelete BUCKET PREFIX")
    for key in undelete(boto3.client("s3"), sys.argv[1], sys.argv[2]):
        sys.stdout.write(f"{key}\n")


if __name__ == "__main__":
    main()
