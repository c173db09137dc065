"""AWS as the tests see it: moto's server in a process of its own, corrected where it is known to differ from AWS.

The corrections, each from AWS's documentation:

- **Time moves when told** (`POST /double/clock`, seconds in the body), for what asks `moto.core` for it, as SQS does.
- **SQS, DeleteMessage and ChangeMessageVisibility**: only a message's latest receipt handle is good. moto takes any.
- **S3, If-None-Match**: a conditional write is atomic. moto looks and then writes, between which another may write.
- **S3, x-amz-checksum-crc32**: a body of another checksum is a 400, BadDigest. moto keeps the checksum and the body.
- **S3, lost objects** (`POST /double/lose`, `/bucket/key` in the body): GET and HEAD of an object that reduced
  redundancy has lost answer 405 MethodNotAllowed; it is still listed. moto loses nothing by itself.
- **CloudWatch, GetMetricData**: a query without dimensions means the metric without dimensions, and namespaces are
  apart. moto adds up whatever has the name.
- **SES, what was sent** (`GET /double/letters`): each letter, for who looks whether it is whole.

Run as `python aws_double.py PORT`; it listens on loopback only.
"""

import base64
import io
import json
import os
import subprocess
import sys
import threading
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loopback import free_port, wait_for_port


class DoubleClock:
    """The Clock port over the double's time: it runs, and `sleep` moves it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)
        body = str(seconds).encode()
        urllib.request.urlopen(f"{self.url}/double/clock", body, timeout=10).close()


_NOT_ALLOWED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>MethodNotAllowed</Code><Message>Not allowed against this resource.</Message></Error>
"""


def lose(url: str, bucket: str, key: str) -> None:
    """Have the double at `url` lose an object as reduced redundancy does."""
    urllib.request.urlopen(f"{url}/double/lose", f"/{bucket}/{key}".encode(), timeout=10).close()


@contextmanager
def running() -> Iterator[tuple[str, int]]:
    """The double's address and process id, while it runs."""
    port = free_port()
    server = subprocess.Popen([sys.executable, __file__, str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, seconds=60)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(10)


def serve(port: int) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    move = _movable_time()
    _only_the_latest_receipt()
    _exact_metrics()
    moto = DomainDispatcherApplication(create_backend_app)
    conditional = threading.Lock()
    lost: set[str] = set()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/double/clock":
            move(float(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
            start_response("204 No Content", [])
            return []
        if environ["REQUEST_METHOD"] == "PUT" and "HTTP_X_AMZ_CHECKSUM_CRC32" in environ and _damaged(environ):
            start_response("400 Bad Request", [("Content-Type", "application/xml")])
            return [b"<Error><Code>BadDigest</Code><Message>The CRC32 you specified did not match.</Message></Error>"]
        if environ["PATH_INFO"] == "/double/letters":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(_letters()).encode()]
        if environ["PATH_INFO"] == "/double/lose":
            lost.add(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
            start_response("204 No Content", [])
            return []
        if environ["PATH_INFO"] in lost and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            start_response("405 Method Not Allowed", [("Content-Type", "application/xml")])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [_NOT_ALLOWED]
        with conditional if "HTTP_IF_NONE_MATCH" in environ else nullcontext():
            return moto(environ, start_response)  # type: ignore[no-any-return]

    run_simple("127.0.0.1", port, application, threaded=True)


def _letters() -> list[list[Any]]:
    """Sender, receivers and text of all that SES was handed in us-east-1."""
    from moto.ses.models import RawMessage, ses_backends

    sent = ses_backends["123456789012"]["us-east-1"].sent_messages
    return [[each.source, each.destinations, each.raw_data] for each in sent if isinstance(each, RawMessage)]


def _damaged(environ: dict[str, Any]) -> bool:
    """Whether the body has another CRC-32 than its header says; it is there to be read again."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    found = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    return bool(found != environ["HTTP_X_AMZ_CHECKSUM_CRC32"])


def _movable_time() -> Callable[[float], None]:
    from moto.core import utils

    ahead = timedelta()
    real = utils.utcnow

    def utcnow() -> datetime:
        return real() + ahead

    def move(seconds: float) -> None:
        nonlocal ahead
        ahead += timedelta(seconds=seconds)

    utils.utcnow = utcnow
    return move


def _only_the_latest_receipt() -> None:
    from moto.sqs.models import Message

    def had_receipt_handle(self: Message, receipt_handle: str) -> bool:
        return receipt_handle == self.receipt_handle

    Message.had_receipt_handle = had_receipt_handle


def _exact_metrics() -> None:
    from moto.cloudwatch.models import CloudWatchBackend

    inexact = CloudWatchBackend.get_metric_data

    def get_metric_data(
        self: CloudWatchBackend, queries: list[dict[str, Any]], *rest: Any, **more: Any
    ) -> list[dict[str, Any]]:
        found = []
        everything = self.metric_data
        for query in queries:
            metric = query["MetricStat"]["Metric"]
            wanted = sorted((each["Name"], each["Value"]) for each in metric.get("Dimensions", []))
            self.metric_data = [
                datum
                for datum in everything
                if datum.namespace == metric["Namespace"]
                and sorted((each.name, each.value) for each in datum.dimensions) == wanted
            ]
            try:
                found += inexact(self, [query], *rest, **more)
            finally:
                self.metric_data = everything
        return found

    CloudWatchBackend.get_metric_data = get_metric_data


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))  # Its neighbours are not meant to be importable from here.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    serve(int(sys.argv[1]))
