"""Ports of delivery: the edge, what it wrote down of its answers, and the domain name system that leads to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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
