"""The SimpleDB domains that items are spread over: named and created here, or given and guarded here."""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import structlog
from botocore.exceptions import ClientError

from infra.aws.client import Clients, mapped

log = structlog.get_logger(__name__)

MARK = "vitrine.shard"
"""The item that says which shard a given domain is. The key-value port neither shows nor takes it."""


class WrongDomains(RuntimeError):
    """The list of domains is not the one that items were spread over."""


class Domains(Protocol):
    names: Sequence[str]
    """In the order of shards."""

    def settle(self, domain: str, *, writes: bool) -> None:
        """Before an operation on `domain`. Raises `WrongDomains`."""

    def absent(self, domain: str) -> None:
        """SimpleDB said that there is no such domain: returns when it is worth another try, else raises."""


class NamedDomains:
    """`<domain>-0`, `<domain>-1`, …, which are created when the first of them is missed."""

    def __init__(self, clients: Clients, domain: str, shards: int) -> None:
        self._clients = clients
        self.names: Sequence[str] = [f"{domain}-{number}" for number in range(shards)]

    def settle(self, domain: str, *, writes: bool) -> None:
        """A name says which shard it is."""

    def absent(self, domain: str) -> None:
        """CreateDomain, which may be repeated."""
        log.info("creating SimpleDB domains", domains=self.names)
        for name in self.names:
            with mapped():
                self._clients.get("sdb").create_domain(DomainName=name)


class GivenDomains:
    """Domains that a stack made, whose names say nothing, and that are never created here.

    Before the first item is put each domain gets a mark: which shard of how many it is, and of which list. Whoever
    comes with another list (one more, one less, another order, one replaced) is refused before it reads or writes
    (ADR 0194). A domain's mark is read once a process; as long as there is none, before each operation.
    """

    def __init__(self, clients: Clients, names: Sequence[str]) -> None:
        self._clients = clients
        self.names = names
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
        self._marks = [{"shard": str(number), "of": str(len(names)), "domains": digest} for number in range(len(names))]
        self._settled: set[str] = set()

    def settle(self, domain: str, *, writes: bool) -> None:
        if domain in self._settled:
            return
        if self._mark(self.names.index(domain)):
            self._settled.add(domain)
        else:
            self._begin(writes=writes)

    def absent(self, domain: str) -> None:
        raise _unknown(domain)

    def _begin(self, *, writes: bool) -> None:
        """A domain without a mark: of a list that nothing was put to yet, or lost.

        The first domain is marked first, and as whole when all are: so a writer that died in between is known from a
        loss. It is read first for the one and last for the other, since another process may be marking meanwhile.
        """
        whole = "whole" in self._mark(0)
        missing = sorted(number for number in reversed(range(len(self.names))) if not self._mark(number))
        if missing and (whole or (0 in missing and len(missing) < len(self.names))):
            names = ", ".join(self.names[number] for number in missing)
            raise WrongDomains(f"{names}: no mark, while other domains have theirs; was it deleted or replaced?")
        if not writes:
            return
        for number in missing:
            self._put(number, self._marks[number], absent="domains")
            self._mark(number)  # Whoever was faster had another list, or the same.
        self._put(0, {"whole": "yes"})
        self._settled.update(self.names)

    def _mark(self, number: int) -> dict[str, str]:
        """The mark of a domain; raises `WrongDomains` if it is of another list."""
        name, expected = self.names[number], self._marks[number]
        with mapped({"NoSuchDomain": _unknown(name)}):
            answer = self._clients.get("sdb").get_attributes(DomainName=name, ItemName=MARK, ConsistentRead=True)
        found = {each["Name"]: each["Value"] for each in answer.get("Attributes", [])}
        if found and not expected.items() <= found.items():
            raise WrongDomains(
                f"{name}: it is shard {found.get('shard')} of {found.get('of')} of list {found.get('domains')}, and "
                f"VITRINE_SIMPLEDB_DOMAINS (list {expected['domains']}) says {number} of {len(self.names)}"
            )
        return found

    def _put(self, number: int, attributes: dict[str, str], *, absent: str = "") -> None:
        """PutAttributes; with `absent` only where there is no such attribute, else nothing."""
        request: dict[str, Any] = {
            "DomainName": self.names[number],
            "ItemName": MARK,
            "Attributes": [{"Name": name, "Value": value, "Replace": True} for name, value in attributes.items()],
        }
        if absent:
            request["Expected"] = {"Name": absent, "Exists": False}
        with mapped():
            try:
                self._clients.get("sdb").put_attributes(**request)
            except ClientError as error:
                if not absent or error.response["Error"]["Code"] != "ConditionalCheckFailed":
                    raise


def _unknown(name: str) -> WrongDomains:
    return WrongDomains(f"{name}: SimpleDB has no such domain, and those of VITRINE_SIMPLEDB_DOMAINS are never created")
