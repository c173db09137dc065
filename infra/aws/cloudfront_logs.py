"""CloudFront's standard logs out of an S3 bucket, and the distribution's own count of bytes (CloudWatch)."""

import gzip
import io
import zlib
from collections.abc import Iterator
from datetime import datetime

from infra.aws.client import Clients, mapped
from infra.aws.cloudfront_lines import deliveries
from infra.errors import BlobMissing, UnreadableLog
from infra.ports import Delivery, LogFile

HOME = "us-east-1"
"""Where CloudFront's metrics are, wherever else the rest is."""


class CloudFrontLogs:
    """Implements `infra.ports.DeliveryLogs`.

    The bucket is listed as a whole each time: let its lifecycle delete logs after a week.
    """

    def __init__(self, clients: Clients, metrics: Clients, *, bucket: str, prefix: str, distribution: str) -> None:
        """`metrics` are clients in `HOME`."""
        self._clients = clients
        self._metrics = metrics
        self._bucket = bucket
        self._prefix = prefix
        self._distribution = distribution

    def arrived(self, since: datetime) -> Iterator[LogFile]:
        """ListObjectsV2."""
        with mapped():
            pages = self._clients.get("s3").get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for found in page.get("Contents", ()):
                    if found["Key"].endswith(".gz") and found["LastModified"] >= since:
                        yield LogFile(found["Key"], found["Size"], found["LastModified"])

    def read(self, name: str) -> Iterator[Delivery]:
        """GetObject."""
        with mapped({"NoSuchKey": BlobMissing(name)}):
            body = self._clients.get("s3").get_object(Bucket=self._bucket, Key=name)["Body"]
            with body, gzip.GzipFile(fileobj=body) as unpacked:
                try:
                    yield from deliveries(io.TextIOWrapper(unpacked, "utf-8", "replace"))
                except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                    raise UnreadableLog(f"not a whole gzip file: {error}") from error

    def downloaded(self, start: datetime, end: datetime) -> int:
        """GetMetricStatistics of BytesDownloaded; an hour that CloudWatch has nothing of had no viewer."""
        with mapped():
            found = self._metrics.get("cloudwatch").get_metric_statistics(
                Namespace="AWS/CloudFront",
                MetricName="BytesDownloaded",
                Dimensions=[
                    {"Name": "DistributionId", "Value": self._distribution},
                    {"Name": "Region", "Value": "Global"},
                ],
                StartTime=start,
                EndTime=end,
                Period=3600,
                Statistics=["Sum"],
            )
        return round(sum(float(point["Sum"]) for point in found["Datapoints"]))
