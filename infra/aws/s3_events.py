"""S3's own word that an object is lost, through an SQS queue that the bucket notifies.

The queue is S3's, not ours: a message's body is an event notification (S3 User Guide, "Event message structure"), whose
keys are URL-encoded as in a form. Set up: docs/operating.md.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus

import structlog

from infra.aws.client import Clients, mapped
from infra.aws.sqs import ABSENT, seconds
from infra.ports import Loss
from infra.settings import SettingsError

log = structlog.get_logger(__name__)

LOST = "ReducedRedundancyLostObject"
_VISIBILITY = 120
_MAX_WAIT = 20


class S3LostObjects:
    """Implements `infra.ports.Losses`. What is no event of `bucket` about a lost object is a report without keys."""

    def __init__(self, clients: Clients, *, queue: str, bucket: str) -> None:
        self._clients = clients
        self._queue = queue
        self._bucket = bucket

    def receive(self, wait: timedelta = timedelta()) -> list[Loss]:
        """ReceiveMessage, up to ten."""
        with mapped():
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_VISIBILITY,
                WaitTimeSeconds=min(seconds(wait), _MAX_WAIT),
            )
        return [
            Loss(raw["ReceiptHandle"], tuple(lost_keys(raw["Body"], self._bucket)))
            for raw in answer.get("Messages", [])
        ]

    def settle(self, *receipts: str) -> None:
        """DeleteMessage."""
        for receipt in receipts:
            with mapped():
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    @property
    def _sqs(self) -> Any:
        return self._clients.get("sqs")

    @cached_property
    def _url(self) -> str:
        """GetQueueUrl. Not made where it is absent: only its policy lets S3 send to it."""
        try:
            with mapped(dict.fromkeys(ABSENT, LookupError(self._queue))):
                return str(self._sqs.get_queue_url(QueueName=self._queue)["QueueUrl"])
        except LookupError:
            raise SettingsError(f"VITRINE_SQS_LOST_QUEUE: there is no queue {self._queue}") from None


def lost_keys(body: str, bucket: str) -> Iterator[str]:
    """Keys that a message's body reports as lost from the bucket."""
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        log.warning("not an event of S3", body=body[:200])
        return
    if event.get("Event") == "s3:TestEvent":  # S3 sends one when a notification is configured.
        log.info("S3 can reach the queue of lost objects", bucket=str(event.get("Bucket", ""))[:100])
        return
    records = event.get("Records")
    for record in records if isinstance(records, list) else [None]:
        key = _lost_key(record, bucket)
        if key is None:
            log.warning("not an event about a lost object of ours", record=json.dumps(record)[:300])
        else:
            yield key


def _lost_key(record: Any, bucket: str) -> str | None:
    try:
        name, about = record["eventName"], record["s3"]
        key, where = about["object"]["key"], about["bucket"]["name"]
    except (TypeError, KeyError, IndexError):
        return None
    # In a record the name comes without the `s3:` that it has in a notification's configuration.
    if not (isinstance(name, str) and isinstance(key, str)) or name.removeprefix("s3:") != LOST or where != bucket:
        return None
    return unquote_plus(key)
