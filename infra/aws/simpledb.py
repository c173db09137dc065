"""Media attributes on SimpleDB, spread over several domains."""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import structlog
from botocore.exceptions import ClientError

from infra.attributes import MAX_ATTRIBUTES, check
from infra.aws.batches import batches
from infra.aws.client import Clients, mapped
from infra.errors import ConditionFailed

log = structlog.get_logger(__name__)

_BATCH = 25  # Items of a batch operation.
_BATCH_BYTES = 300_000  # A request holds at most 1 MB, in which a byte may take three (percent-encoding).
_PAGE = 2500  # The most items that a Select answers with; SimpleDB makes it less where that would pass 1 MB.
_MISMATCH = ("ConditionalCheckFailed", "AttributeDoesNotExist", "MultiValuedAttribute")


class SimpleDbKeyValue:
    """Implements `infra.ports.KeyValue`.

    A domain takes some 25 puts a second and holds 10 GB, so items are spread over `shards` domains by a hash of their
    name; the number of shards is fixed once there are items. Domains are created when the first of them is missed.
    Every read is consistent.
    """

    def __init__(self, clients: Clients, *, domain: str, shards: int) -> None:
        self._clients = clients
        clients.get("sdb")  # Now, for the sake of forked jobs.
        self._domains = [f"{domain}-{number}" for number in range(shards)]

    def put(self, item: str, attributes: Mapping[str, str], *, expect: tuple[str, str | None] | None = None) -> None:
        """PutAttributes, with `Expected` for a condition. That one call is atomic."""
        check(item, attributes)
        if not attributes:  # SimpleDB refuses a put of nothing, and so there is nothing to be atomic with.
            if expect is not None and self.get(item).get(expect[0]) != expect[1]:
                raise _mismatch(item, expect)
            return
        request: dict[str, Any] = {"ItemName": item, "Attributes": _replacing(attributes)}
        if expect is not None:
            name, value = expect
            request["Expected"] = {"Name": name, "Exists": False} if value is None else {"Name": name, "Value": value}
        try:
            self._call("put_attributes", DomainName=self._domain(item), **request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NumberItemAttributesExceeded":
                raise ValueError(f"{item}: at most {MAX_ATTRIBUTES} attributes") from error
            if expect is None or code not in _MISMATCH:
                raise
            if not self._was_ours(item, attributes, error):
                raise _mismatch(item, expect) from error

    def _was_ours(self, item: str, attributes: Mapping[str, str], error: ClientError) -> bool:
        """Whether the condition failed because an earlier try of the same request succeeded, its answer lost."""
        retried = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
        return retried and attributes.items() <= self.get(item).items()

    def put_many(self, items: Mapping[str, Mapping[str, str]]) -> None:
        """BatchPutAttributes, 25 items at a time: each batch is stored whole or not at all."""
        for item, attributes in items.items():
            check(item, attributes)

        def size(name: str) -> int:
            return len(name.encode()) + sum(len(f"{key}{value}".encode()) + 100 for key, value in items[name].items())

        for domain, names in self._by_domain(item for item, attributes in items.items() if attributes):
            for batch in batches(names, size, most=_BATCH, max_bytes=_BATCH_BYTES):
                entries = [{"Name": name, "Attributes": _replacing(items[name])} for name in batch]
                try:
                    self._call("batch_put_attributes", DomainName=domain, Items=entries)
                except ClientError as error:
                    if error.response["Error"]["Code"] == "NumberItemAttributesExceeded":
                        raise ValueError(f"{', '.join(batch)}: at most {MAX_ATTRIBUTES} attributes") from error
                    raise

    def get(self, item: str) -> dict[str, str]:
        """GetAttributes with `ConsistentRead`."""
        answer = self._call("get_attributes", DomainName=self._domain(item), ItemName=item, ConsistentRead=True)
        return _attributes(answer)

    def delete(self, item: str) -> None:
        """DeleteAttributes, which without attributes deletes the item."""
        self._call("delete_attributes", DomainName=self._domain(item), ItemName=item)

    def delete_prefix(self, prefix: str) -> int:
        """Select, then BatchDeleteAttributes, 25 items at a time."""
        if not prefix:
            raise ValueError("an empty prefix would remove everything")
        count = 0
        for domain in self._domains:
            names = [name for name, _ in self._select("itemName()", domain, prefix)]
            for start in range(0, len(names), _BATCH):
                entries = [{"Name": name} for name in names[start : start + _BATCH]]
                self._call("batch_delete_attributes", DomainName=domain, Items=entries)
            count += len(names)
        return count

    def items(self, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Select on every domain, page by page, merged in the order of names."""
        return heapq.merge(*(self._select("*", domain, prefix) for domain in self._domains), key=lambda found: found[0])

    def _select(self, what: str, domain: str, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        # Quoted by SimpleDB's rules ("Select Quoting Rules"): it has no parameters.
        expression = f"select {what} from `{domain}` where {_starts_with(prefix)} order by itemName() limit {_PAGE}"  # noqa: S608
        request: dict[str, Any] = {"SelectExpression": expression, "ConsistentRead": True}
        while True:
            answer = self._call("select", **request)
            for found in answer.get("Items", []):
                yield found["Name"], _attributes(found)
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]

    # -- domains --

    def _domain(self, item: str) -> str:
        # Python's own hash differs from process to process.
        digest = hashlib.sha256(item.encode()).digest()
        return self._domains[int.from_bytes(digest[:8], "big") % len(self._domains)]

    def _by_domain(self, items: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
        spread: dict[str, list[str]] = {}
        for item in items:
            spread.setdefault(self._domain(item), []).append(item)
        return spread.items()

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        """One operation; domains are created and it is tried again if there are none yet."""
        for attempt in range(2):
            method: Callable[..., dict[str, Any]] = getattr(self._clients.get("sdb"), operation)
            try:
                with mapped({"NoSuchDomain": _NoDomain(operation)}):
                    return method(**request)
            except _NoDomain:
                if attempt:
                    raise
                self._create()
        raise AssertionError("unreachable")

    def _create(self) -> None:
        """CreateDomain, which may be repeated."""
        log.info("creating SimpleDB domains", domains=self._domains)
        for domain in self._domains:
            with mapped():
                self._clients.get("sdb").create_domain(DomainName=domain)


class _NoDomain(LookupError):
    """A domain was not created yet."""


def _replacing(attributes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Value": value, "Replace": True} for name, value in attributes.items()]


def _attributes(answer: Mapping[str, Any]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in answer.get("Attributes", [])}


def _mismatch(item: str, expect: tuple[str, str | None]) -> ConditionFailed:
    return ConditionFailed(f"{item}: {expect[0]} is not {expect[1]!r}")


def _starts_with(prefix: str) -> str:
    """The predicate that item names start with `prefix`: a range, which takes every character as it is.

    SimpleDB compares the UTF-8 octets, which sort as code points do.
    """
    if not prefix:
        return "itemName() is not null"
    return f"itemName() >= {_quoted(prefix)} and itemName() < {_quoted(_after(prefix))}"


def _after(prefix: str) -> str:
    """The least text that is greater than every text that starts with `prefix`."""
    last = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if last == 0xD800 else last)  # No character is a surrogate.


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
