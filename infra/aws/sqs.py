"""The job queue on SQS: two standard queues, for little and for much work of a tenant, and their dead-letter queue."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count, islice
from typing import Any

from ulid import ULID

from infra.aws.client import Clients, mapped
from infra.errors import ReceiptExpired, Unavailable
from infra.ports import MAX_DELAY, Clock, Depth, Message
from infra.settings import SettingsError

MAX_BYTES = 1024 * 1024  # Of a message's body with its attributes (SQS quotas, "message size").
_MAX_VISIBILITY = 12 * 3600
_MAX_WAIT = 20
_BATCH = 10
_RETENTION = 14 * 24 * 3600  # The most that SQS keeps a message.
_LITTLE = 2  # Unfinished messages of a group, beyond which more of them queue up where much work does.
_BULK_FIRST = 4  # Every so many receives: what is much still goes on while others have little.
_LOOK = 30  # Seconds for which whoever looks through the dead letters has them to itself.
_LOOK_WAIT = 1  # Seconds of a long poll, which asks every server of SQS: no letter is overlooked.

# What SQS says about a receipt that is no longer good: the message was received again, deleted, or is visible again.
_STALE = (
    "ReceiptHandleIsInvalid",
    "AWS.SimpleQueueService.MessageNotInflight",
    "MessageNotInflight",
    "InvalidParameterValue",
)
_QUICK, _BULK, _DEAD = range(3)
ABSENT = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class SqsQueue:
    """Implements `infra.ports.JobQueue`.

    A message's id is ours, an attribute, since a redriven letter is a new message to SQS and gets another id there; it
    is a ULID and so also tells when the message was first sent. The group is an attribute and the `MessageGroupId`,
    which makes a standard queue a fair one. With `wait` zero SQS asks only a sample of its servers and may overlook a
    message; with `least_wait` of a second it never does, and an empty answer takes that second.

    SQS is fair only among dozens of messages in flight. So what a group sends with more than a little `ahead` of it
    goes to a queue of its own, `<name>-bulk`, which is asked second, and first every fourth time.

    All queues are looked up, created if absent and compared with `max_receives` on first use; a queue that was made
    otherwise raises `SettingsError`.
    """

    def __init__(
        self, clients: Clients, clock: Clock, *, name: str, max_receives: int, least_wait: timedelta = timedelta()
    ) -> None:
        self._clients = clients
        self._clock = clock
        self._name = name
        self._max_receives = max_receives
        self._least_wait = least_wait
        self._turns = count(1)

    # -- sending and receiving --

    def send(self, body: Mapping[str, Any], *, group: str, ahead: int = 0, delay: timedelta = timedelta()) -> str:
        """SendMessage."""
        if not timedelta() <= delay <= MAX_DELAY:
            raise ValueError("a delay is at most 15 minutes, as on SQS")
        text = json.dumps(body, separators=(",", ":"))  # ASCII: SQS refuses some of Unicode's control characters.
        if len(text) + len(group) > MAX_BYTES - 1024:
            raise ValueError("a message holds at most 1 MiB")
        message_id = str(ULID.from_datetime(self._clock.now())).lower()
        lane = _QUICK if ahead < _LITTLE else _BULK
        self._send(self._urls[lane], text, message_id, group, seconds(delay))
        return message_id

    def _send(self, url: str, text: str, message_id: str, group: str, delay: int = 0) -> None:
        attributes = {"id": message_id, "group": group}
        with mapped():
            self._sqs.send_message(
                QueueUrl=url,
                MessageBody=text,
                DelaySeconds=delay,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
                },
                **({"MessageGroupId": group} if group else {}),
            )

    def receive(self, limit: int, *, visibility: timedelta, wait: timedelta = timedelta()) -> list[Message]:
        """ReceiveMessage: of both queues at once, then by a long poll of a second, of one and the other in turn."""
        if not 1 <= limit <= _BATCH:
            raise ValueError("limit must be 1 to 10, as on SQS")
        lanes = (_BULK, _QUICK) if next(self._turns) % _BULK_FIRST == 0 else (_QUICK, _BULK)
        found: list[Message] = []
        for lane in lanes:
            if len(found) < limit:
                found += self._receive_lane(lane, limit - len(found), visibility, seconds(self._least_wait))
        for turn in range(seconds(wait)):
            if found:
                break
            found = self._receive_lane(lanes[turn % 2], limit, visibility, 1)
        return found

    def _receive_lane(self, lane: int, limit: int, visibility: timedelta, wait: int) -> list[Message]:
        raws = self._receive(self._urls[lane], limit, seconds(visibility), min(wait, _MAX_WAIT))
        return [_message(raw, receipt=f"{lane}{raw['ReceiptHandle']}") for raw in raws]

    def _receive(self, url: str, limit: int, visibility: int, wait: int) -> list[dict[str, Any]]:
        with mapped():
            answer = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=limit,
                VisibilityTimeout=min(visibility, _MAX_VISIBILITY),
                WaitTimeSeconds=wait,
                MessageAttributeNames=["id", "group"],
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def extend(self, receipt: str, visibility: timedelta) -> None:
        """ChangeMessageVisibility. SQS ends a receipt 12 hours after its receive, however often it was extended."""
        with mapped(dict.fromkeys(_STALE, ReceiptExpired(receipt))):
            self._sqs.change_message_visibility(
                **self._handle(receipt), VisibilityTimeout=min(seconds(visibility), _MAX_VISIBILITY)
            )

    def delete(self, *receipts: str) -> None:
        """DeleteMessageBatch by tens: an old receipt succeeds without deleting anything."""
        for lane in (_QUICK, _BULK):
            handles = [receipt[1:] for receipt in receipts if int(receipt[0]) == lane]
            for start in range(0, len(handles), _BATCH):
                self._delete(self._urls[lane], handles[start : start + _BATCH])

    def _delete(self, url: str, handles: Sequence[str]) -> None:
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        with mapped():
            failed = self._sqs.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])
        if ours := [each for each in failed if not each.get("SenderFault")]:
            raise Unavailable(f"{len(ours)} messages were not deleted: {ours[0].get('Message', '')}")

    def _handle(self, receipt: str) -> dict[str, str]:
        """A receipt is the number of its queue, then SQS's receipt handle."""
        return {"QueueUrl": self._urls[int(receipt[0])], "ReceiptHandle": receipt[1:]}

    def depth(self) -> Depth:
        """GetQueueAttributes of the queues. Delayed messages count as in flight."""
        quick, bulk, dead = (self._counts(url) for url in self._urls)
        return Depth(waiting=quick[0] + bulk[0], in_flight=quick[1] + bulk[1], dead=sum(dead))

    def _counts(self, url: str) -> tuple[int, int]:
        names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        with mapped():
            found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]]) + int(found[names[2]])

    # -- dead letters --

    def dead(self, limit: int = 100) -> list[Message]:
        """ReceiveMessage from the dead-letter queue, and ChangeMessageVisibilityBatch to leave all of it there.

        Two who look at once may each see a part. `receives` is the queue's bound: SQS's own count grows with each look.
        """
        with self._letters() as letters:
            found = [_message(raw, receives=self._max_receives) for raw in islice(letters, limit)]
        return sorted(found, key=lambda letter: (letter.sent_at, letter.id))

    def redrive(self, message_id: str) -> bool:
        """SendMessage to the queue, then DeleteMessage from the dead letters: a crash in between leaves both."""
        return self._take_out(message_id, again=True)

    def discard(self, message_id: str) -> bool:
        """DeleteMessage from the dead letters."""
        return self._take_out(message_id, again=False)

    def _take_out(self, message_id: str, *, again: bool) -> bool:
        with self._letters() as letters:
            for raw in letters:
                letter = _message(raw)
                if letter.id == message_id:
                    if again:
                        self._send(self._urls[_BULK], raw["Body"], letter.id, letter.group)
                    with mapped():
                        self._sqs.delete_message(QueueUrl=self._urls[_DEAD], ReceiptHandle=raw["ReceiptHandle"])
                    return True
        return False

    @contextmanager
    def _letters(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Every dead letter once, as SQS hands them out; all are visible again at the end."""
        taken: list[str] = []

        def each() -> Iterator[dict[str, Any]]:
            while batch := self._receive(self._urls[_DEAD], _BATCH, _LOOK, _LOOK_WAIT):
                taken.extend(raw["ReceiptHandle"] for raw in batch)
                yield from batch

        try:
            yield each()
        finally:
            for start in range(0, len(taken), _BATCH):
                entries = [
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for number, receipt in enumerate(taken[start : start + _BATCH])
                ]
                with mapped():  # An entry may fail, for a letter that was just redriven: that one is gone.
                    self._sqs.change_message_visibility_batch(QueueUrl=self._urls[_DEAD], Entries=entries)

    # -- the queues themselves --

    @property
    def _sqs(self) -> Any:
        return self._clients.get("sqs")

    @cached_property
    def _urls(self) -> Sequence[str]:
        """GetQueueUrl, CreateQueue, GetQueueAttributes: the addresses of _QUICK, _BULK and _DEAD."""
        kept = {"MessageRetentionPeriod": str(_RETENTION), "SqsManagedSseEnabled": "true"}
        dead_url = self._found_or_made(f"{self._name}-dead", kept)
        arn = self._attribute(dead_url, "QueueArn")
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": self._max_receives})
        lanes = []
        for name in (self._name, f"{self._name}-bulk"):
            lanes.append(self._found_or_made(name, {**kept, "RedrivePolicy": policy}))
            self._compare(name, json.loads(self._attribute(lanes[-1], "RedrivePolicy") or "{}"), arn)
        return (*lanes, dead_url)

    def _compare(self, name: str, policy: Mapping[str, Any], arn: str) -> None:
        bound = int(policy.get("maxReceiveCount", 0))
        if policy.get("deadLetterTargetArn") != arn:
            raise SettingsError(f"VITRINE_SQS_QUEUE: the dead letters of {name} do not go to {self._name}-dead")
        if bound != self._max_receives:
            raise SettingsError(
                f"VITRINE_MAX_RECEIVES: is {self._max_receives}, but the redrive policy of {name} says {bound}"
            )

    def _found_or_made(self, name: str, attributes: Mapping[str, str]) -> str:
        try:
            with mapped(dict.fromkeys(ABSENT, LookupError(name))):
                return str(self._sqs.get_queue_url(QueueName=name)["QueueUrl"])
        except LookupError:
            with mapped():
                return str(self._sqs.create_queue(QueueName=name, Attributes=dict(attributes))["QueueUrl"])

    def _attribute(self, url: str, name: str) -> str:
        with mapped():
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return str(answer.get("Attributes", {}).get(name, ""))


def seconds(span: timedelta) -> int:
    """Whole seconds, rounded up: SQS knows no others."""
    return math.ceil(span.total_seconds())


def _message(raw: dict[str, Any], *, receipt: str = "", receives: int | None = None) -> Message:
    """What others sent to the queue is a message too: with SQS's id, no group, and its text if that is no JSON."""
    attributes, facts = raw.get("MessageAttributes", {}), raw["Attributes"]
    try:
        body = json.loads(raw["Body"])
    except ValueError:
        body = None
    given = attributes.get("id", {}).get("StringValue", "")
    return Message(
        id=given or raw["MessageId"],
        receipt=receipt,
        body=body if isinstance(body, dict) else {"unreadable": raw["Body"]},
        group=attributes.get("group", {}).get("StringValue", ""),
        receives=int(facts["ApproximateReceiveCount"]) if receives is None else receives,
        sent_at=_first_sent(given) or datetime.fromtimestamp(int(facts["SentTimestamp"]) / 1000, tz=UTC),
    )


def _first_sent(message_id: str) -> datetime | None:
    try:
        return ULID.from_str(message_id.upper()).datetime
    except ValueError:
        return None  # An id that SQS gave to what somebody else sent.
