"""S3 as the blob store and as the intake, in one bucket."""

from infra.aws.s3_blobs import S3Blobs
from infra.aws.s3_bucket import Bucket
from infra.aws.s3_intake import S3Intake


class S3Store(S3Blobs, S3Intake):
    """Implements `infra.ports.BlobStore` and `infra.ports.Intake`."""

    def __init__(self, bucket: Bucket) -> None:
        S3Blobs.__init__(self, bucket)
        S3Intake.__init__(self, bucket)
