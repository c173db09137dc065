"""The port of the job queue, and what some queues can do besides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

MAX_DELAY = timedelta(minutes=15)


@dataclass(frozen=True)
class Message:
    """A received message. `receipt` is valid until the visibility timeout passes and the message is received again."""

    id: str
    receipt: str
    body: dict[str, Any]
    group: str
    receives: int
    sent_at: datetime


@dataclass(frozen=True)
class Depth:
    """Numbers of messages; on SQS they are approximate.

    `oldest` is when the longest waiting one was sent; None if none waits, and on SQS, which tells it to CloudWatch only
    (`AWS/SQS ApproximateAgeOfOldestMessage`).
    """

    waiting: int
    in_flight: int
    dead: int
    oldest: datetime | None = None


class JobQueue(Protocol):
    """At-least-once delivery with visibility timeouts and dead letters: the SQS standard-queue contract.

    Groups take turns: however much one group has sent, another's first message is received next, or soon.
    """

    def send(self, body: Mapping[str, Any], *, group: str, ahead: int = 0, delay: timedelta = timedelta()) -> str:
        """Store a JSON-able body durably; the message id. `group` names the tenant, for fairness.

        `ahead` says how much of the group's work is known to be unfinished, for adapters that cannot count it. Raises
        `ValueError` for a delay beyond `MAX_DELAY`.
        """

    def receive(self, limit: int, *, visibility: timedelta, wait: timedelta = timedelta()) -> list[Message]:
        """Up to `limit` (1 to 10) messages, each invisible to others for `visibility`.

        Waits up to `wait` for the first. A message received more often than the queue's bound becomes a dead letter
        instead of being returned.
        """

    def extend(self, receipt: str, visibility: timedelta) -> None:
        """Invisible for `visibility` from now; zero gives it back at once. Raises `ReceiptExpired`."""

    def delete(self, *receipts: str) -> None:
        """Remove the messages. No error if one is gone; a stale receipt removes nothing."""

    def depth(self) -> Depth: ...

    def dead(self, limit: int = 100) -> list[Message]:
        """Dead letters, oldest first; their receipts are of no use."""

    def redrive(self, message_id: str) -> bool:
        """Put a dead letter back with a fresh receive count; False if there is no such dead letter."""

    def discard(self, message_id: str) -> bool:
        """Remove a dead letter for good; False if there is no such dead letter."""


@dataclass(frozen=True)
class Whereabouts:
    """Where a message is: `waiting`, `in flight` until `until`, `delayed` until then, or `dead` since then."""

    id: str
    state: str
    sent_at: datetime
    receives: int
    until: datetime | None


@runtime_checkable
class SearchableQueue(Protocol):
    """What a job queue can do besides, if its messages can be looked up: the SQL one. SQS cannot tell of a message."""

    def find(self, group: str, name: str, value: str) -> list[Whereabouts]:
        """The group's messages whose body has that value under that name, oldest first."""


@runtime_checkable
class ForgettingQueue(Protocol):
    """What a job queue can do besides, if its messages can be looked up. On SQS a message ends when it is received."""

    def forget(self, group: str) -> int:
        """Remove every message of the group, those in flight and dead letters included; how many."""
