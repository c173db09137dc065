"""The ports: small Protocols whose docstrings are the contract. `tests/contracts` runs each against every adapter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

# --- Blobs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlobInfo:
    """`etag` is an opaque validator that changes with the content; `size` is bytes."""

    key: str
    size: int
    etag: str
    modified: datetime


class BlobStore(Protocol):
    """Immutable objects under slash-separated keys. All methods may be called from any process at any time."""

    def put(self, key: str, source: Path | bytes | BinaryIO, *, content_type: str) -> BlobInfo:
        """Store `source` if `key` is free, durably on return (a crash leaves the whole object or nothing).

        Raises `BlobExists` if the key is taken (the stored object is untouched), `StorageFull` if there is no room.
        """

    def stat(self, key: str) -> BlobInfo:
        """Raises `BlobMissing`."""

    def open(self, key: str, start: int = 0, length: int | None = None) -> BinaryIO:
        """A readable stream over `length` bytes from `start` (to the end by default). Raises `BlobMissing`.

        Where the object is a local file and the whole of it is asked for, the stream has a real `fileno()`.
        """

    def fetch(self, key: str, into: Path) -> Path:
        """Make the object readable as the local file `into` (a link where that is possible: never write to it)."""

    def copy(self, source: str, target: str) -> BlobInfo:
        """Write-if-absent copy within the store. Raises `BlobMissing`, `BlobExists`, `StorageFull`."""

    def delete(self, key: str) -> None:
        """Remove the object; no error if there is none."""

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """Objects whose key starts with `prefix`, in key order."""

    def delete_prefix(self, prefix: str) -> int:
        """Remove every object under `prefix` (which ends in a slash); the number removed."""


@dataclass(frozen=True)
class Loss:
    """A report that objects are gone. `receipt` is for `settle`; a report that makes no sense has no keys."""

    receipt: str
    keys: tuple[str, ...]


class Losses(Protocol):
    """Reports of objects that the blob store has lost, each at least once and none in time."""

    def receive(self, wait: timedelta = timedelta()) -> list[Loss]:
        """Up to ten, after waiting up to `wait` for the first. What is not settled comes again within minutes."""

    def settle(self, *receipts: str) -> None:
        """These have been dealt with."""


class IntakeWriter(Protocol):
    """Appends to one upload. One writer at a time: the caller holds the upload's lease."""

    def write(self, data: memoryview) -> None:
        """Append; nothing is promised before `commit`. Raises `StorageFull`, leaving committed bytes intact."""

    def commit(self) -> int:
        """Make what was written before this call durable; how many bytes that is, from the upload's start.

        Another thread may go on writing meanwhile: a slow disk then delays nobody but itself.
        """

    def close(self) -> None:
        """Release resources; bytes written since the last `commit` may be lost."""


class Intake(Protocol):
    """Bytes of uploads that are still arriving, kept apart from finished objects."""

    def writer(self, key: str, offset: int) -> IntakeWriter:
        """A writer that continues at `offset`; anything stored past it is dropped. Creates the upload at offset 0.

        Raises `BlobMissing` if fewer than `offset` bytes are stored.
        """

    def size(self, key: str) -> int:
        """Bytes stored so far; 0 for an unknown key."""

    def read(self, key: str, length: int) -> BinaryIO:
        """The first `length` bytes as a stream, for hashing and sniffing. Raises `BlobMissing`."""

    def join(self, parts: Sequence[tuple[str, int]], key: str) -> int:
        """Make `key` the concatenation of `(part key, length)`s; the total length. Parts stay."""

    def seal(self, key: str, length: int, target: str, *, content_type: str) -> BlobInfo:
        """Turn the first `length` bytes into the object `target`, durably, without reading them where possible.

        Idempotent: if `target` exists already with that length it is returned. Raises `BlobMissing` if neither is
        there.
        """

    def discard(self, key: str) -> None:
        """Forget the upload; no error if there is none."""

    def leftovers(self, prefix: str) -> Iterator[str]:
        """Keys of uploads under `prefix` that still hold bytes, for the sweep."""


# --- Jobs -----------------------------------------------------------------------------------------------------------


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


# --- Media attributes -----------------------------------------------------------------------------------------------


class KeyValue(Protocol):
    """Flat string attributes per item, within SimpleDB's limits (`infra/attributes.py`).

    256 attributes; names and values of at most 1,024 bytes and without control characters.
    """

    def put(self, item: str, attributes: Mapping[str, str], *, expect: tuple[str, str | None] | None = None) -> None:
        """Replace the named attributes and leave others. With `expect=(name, value)` only if that attribute has that
        value (None: is absent), else `ConditionFailed`. Raises `ValueError` beyond the limits."""

    def put_many(self, items: Mapping[str, Mapping[str, str]]) -> None:
        """`put` each, in few requests. A crash leaves some of them done."""

    def get(self, item: str) -> dict[str, str]:
        """Consistent read; an empty mapping for an unknown item."""

    def delete(self, item: str) -> None: ...

    def delete_prefix(self, prefix: str) -> int:
        """Remove every item whose name starts with `prefix`, which is not empty; the number removed."""

    def items(self, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Items whose name starts with `prefix`, in name order."""


# --- Metrics --------------------------------------------------------------------------------------------------------


MAX_DIMENSIONS = 3


def check_dimensions(dimensions: Mapping[str, str]) -> None:
    """Raises `ValueError` for more than `MAX_DIMENSIONS`, and for a value that is empty or not ASCII (CloudWatch)."""
    if len(dimensions) > MAX_DIMENSIONS:
        raise ValueError(f"at most {MAX_DIMENSIONS} dimensions: {', '.join(dimensions)}")
    for name, value in dimensions.items():
        if not (value.isascii() and value.strip() and len(value) <= 1024):
            raise ValueError(f"a dimension's value is 1 to 1,024 ASCII characters: {name}={value!r}")


class Metrics(Protocol):
    """Numbers over time with a few dimensions, as CloudWatch keeps them."""

    def put(
        self, name: str, value: float, at: datetime | None = None, /, *, unit: str = "Count", **dimensions: str
    ) -> None:
        """Record one value, of now or of the time `at`; `unit` is one of CloudWatch's.

        Never waits or raises for a metrics outage: work must not stop because nobody is counting. Raises `ValueError`
        for dimensions that no adapter takes (`check_dimensions`).
        """

    def total(self, name: str, start: datetime, end: datetime, **dimensions: str) -> float:
        """Sum of the values recorded in [start, end) whose dimensions include these.

        CloudWatch keeps minutes: there, a window means the whole minutes that it touches.
        """

    def totals(self, name: str, start: datetime, end: datetime, by: str, among: Sequence[str]) -> dict[str, float]:
        """`total` for each of the values `among` of the dimension `by`, in few requests; those without are left out.

        Unlike `put` it raises `Unavailable` (or the database's error) when the metrics cannot be read.
        """


@runtime_checkable
class ForgettingMetrics(Protocol):
    """What an adapter can do besides about values that it still holds itself. CloudWatch's own expire; none can be
    removed."""

    def forget(self, **dimensions: str) -> int:
        """Remove the values whose dimensions include these; how many."""

    def remembered(self, **dimensions: str) -> int:
        """How many there are."""


# --- Delivery -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Serving:
    """How far an edge has come with a host. `waits_for` says in a sentence what is missing while it is not ready."""

    ready: bool
    waits_for: str = ""


class Edge(Protocol):
    """Delivery under tenants' host names: as CloudFront does it, or as the app does behind a proxy that holds the
    certificates."""

    shared_seconds: int
    """How long a cache of the edge may answer by itself; 0 where there is no such cache."""

    def grant(self, prefix: str, *, until: datetime) -> str:
        """A token, safe as one URL path segment, that authorises reading what is under `prefix` until then.

        Deterministic: the same prefix and time give the same token, so that browsers can cache what it opens. One
        token serves every object of a generation, so a playlist's relative addresses work as they are.
        """

    def granting(self, until: datetime, within: str) -> Callable[[str], str]:
        """`grant` for many prefixes that begin with `within`; takes what follows."""

    def allows(self, prefix: str, token: str) -> bool:
        """Whether `token` authorises `prefix` now. Tokens of keys before the newest count as long as those are kept."""

    def cookies(self, origin: str, path: str, *, until: datetime) -> Mapping[str, str]:
        """Cookies, by name, without which the edge answers nothing under `path` (which ends in a slash) of `origin`.

        Empty where the edge asks for none.
        """

    def signed(self, url: str, *, until: datetime) -> str:
        """The address with the signature that the edge asks of who has no cookie; as it was where it asks for none."""

    def invalidate(self, hosts: Sequence[str], paths: Sequence[str], *, reference: str) -> None:
        """Let no cache of the edge answer for addresses on `hosts` that start with one of `paths` any more.

        The same `reference` again is the same request. Raises `Unavailable`.
        """

    def serve(self, host: str) -> Serving:
        """One step towards serving `host` with a certificate of its own. Call it again until it is ready: every step
        finds out how far the last one came, whoever made it. Raises `Unavailable`."""

    def withdraw(self, host: str) -> bool:
        """One step towards serving `host` no more; True once nothing of it is left. Raises `Unavailable`."""


@dataclass(frozen=True)
class Delivery:
    """One answer of the edge to a viewer. `size` is bytes as the edge counts them, headers included; `path` has no
    query."""

    at: datetime
    host: str
    method: str
    path: str
    status: int
    size: int


@dataclass(frozen=True)
class LogFile:
    """`arrived` is when it came, which may be a day after what it tells of."""

    name: str
    size: int
    arrived: datetime


class DeliveryLogs(Protocol):
    """What the edge delivered, as the edge wrote it down: late, best effort, each file written once."""

    def arrived(self, since: datetime) -> Iterator[LogFile]:
        """Files that came at `since` or later, in any order. Raises `Unavailable`."""

    def read(self, name: str) -> Iterator[Delivery]:
        """The lines of a file. Raises `BlobMissing`, `Unavailable`, and `UnreadableLog` for what is no such log, at
        whichever line that is found."""

    def downloaded(self, start: datetime, end: datetime) -> int:
        """The edge's own count of bytes that viewers downloaded by GET and HEAD in these whole hours. Raises
        `Unavailable`."""


class NoAnswer(ConnectionError):
    """The domain name system did not answer, or not with an answer: nothing is known, neither yes nor no."""


class Resolver(Protocol):
    """Questions to the domain name system."""

    def ask(self, name: str, kind: str) -> Sequence[str]:
        """The records of that kind ("A", "AAAA", "CNAME", "TXT", "CAA", "SOA") in presentation form; none if there are
        none. `name` is ASCII without a final dot; names in the answer have none either, TXT strings are joined.

        Aliases are followed, except for CNAME itself. SOA is answered for the apex of a zone only. Raises `NoAnswer`.
        """


# --- Mail -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Letter:
    """A mail in plain text to one address. `sender` is a name only: whose address it comes from is the deployment's."""

    to: str
    subject: str
    text: str
    sender: str


class Mail(Protocol):
    delivers: bool
    """Whether letters leave this machine; otherwise they are kept for who runs it, and pages say so."""

    def send(self, letter: Letter) -> None:
        """Handed on, or durably kept, on return. Raises `Unavailable` if the letter was not taken, now or at all."""


# --- The machine's end ----------------------------------------------------------------------------------------------


class Notices(Protocol):
    """What is announced about the end of this machine. Never raises: what cannot be asked was not announced."""

    def interruption(self) -> datetime | None:
        """When this machine will be taken away; None while nothing is announced."""

    def rebalance(self) -> bool:
        """Whether it is likelier than usual to be taken away soon."""


# --- Time -----------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of the current time in code whose behaviour depends on it."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Ports:
    """What `wiring.build` returns: one adapter a port."""

    blobs: BlobStore
    losses: Losses
    intake: Intake
    queue: JobQueue
    media: KeyValue
    metrics: Metrics
    edge: Edge
    deliveries: DeliveryLogs
    resolver: Resolver
    notices: Notices
    mail: Mail
    clock: Clock
