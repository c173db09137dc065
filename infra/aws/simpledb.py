"""Media attributes on SimpleDB, spread over several domains."""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.attributes import MAX_ATTRIBUTES, check
from infra.aws.batches import batches
from infra.aws.client import Clients, mapped
from infra.aws.simpledb_domains import MARK, Domains
from infra.errors import ConditionFailed

_BATCH = 25  # Items of a batch operation.
_BATCH_BYTES = 300_000  # A request holds at most 1 MB, in which a byte may take three (percent-encoding).
_PAGE = 2500  # The most items that a Select answers with; SimpleDB makes it less where that would pass 1 MB.
_MISMATCH = ("ConditionalCheckFailed", "AttributeDoesNotExist", "MultiValuedAttribute")


class SimpleDbKeyValue:
    """Implements `infra.ports.KeyValue`.

    A domain takes some 25 puts a second and holds 10 GB, so items are spread over several by a hash of their name; how
    many is fixed once there are items. Every read is consistent.
    """

    def __init__(self, clients: Clients, domains: Domains) -> None:
        self._clients = clients
        clients.get("sdb")  # Now, for the sake of forked jobs.
        self._domains = domains

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
            self._call("put_attributes", self._domain(item), writes=True, **request)
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
                    self._call("batch_put_attributes", domain, writes=True, Items=entries)
                except ClientError as error:
                    if error.response["Error"]["Code"] == "NumberItemAttributesExceeded":
                        raise ValueError(f"{', '.join(batch)}: at most {MAX_ATTRIBUTES} attributes") from error
                    raise

    def get(self, item: str) -> dict[str, str]:
        """GetAttributes with `ConsistentRead`."""
        answer = self._call("get_attributes", self._domain(item), ItemName=item, ConsistentRead=True)
        return _attributes(answer)

    def delete(self, item: str) -> None:
        """DeleteAttributes, which without attributes deletes the item."""
        self._call("delete_attributes", self._domain(item), ItemName=item)

    def delete_prefix(self, prefix: str) -> int:
        """Select, then BatchDeleteAttributes, 25 items at a time."""
        if not prefix:
            raise ValueError("an empty prefix would remove everything")
        count = 0
        for domain in self._domains.names:
            names = [name for name, _ in self._select("itemName()", domain, prefix)]
            for start in range(0, len(names), _BATCH):
                entries = [{"Name": name} for name in names[start : start + _BATCH]]
                self._call("batch_delete_attributes", domain, Items=entries)
            count += len(names)
        return count

    def items(self, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Select on every domain, page by page, merged in the order of names."""
        found = (self._select("*", domain, prefix) for domain in self._domains.names)
        return heapq.merge(*found, key=lambda item: item[0])

    def _select(self, what: str, domain: str, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
        # Quoted by SimpleDB's rules ("Select Quoting Rules"): it has no parameters.
        expression = f"select {what} from `{domain}` where {_starts_with(prefix)} order by itemName() limit {_PAGE}"  # noqa: S608
        request: dict[str, Any] = {"SelectExpression": expression, "ConsistentRead": True}
        while True:
            answer = self._call("select", domain, **request)
            for found in answer.get("Items", []):
                if found["Name"] != MARK:
                    yield found["Name"], _attributes(found)
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]

    # -- domains --

    def _domain(self, item: str) -> str:
        if item == MARK:
            raise ValueError(f"{MARK} is the name of the domains' own items")
        # Python's own hash differs from process to process.
        digest = hashlib.sha256(item.encode()).digest()
        return self._domains.names[int.from_bytes(digest[:8], "big") % len(self._domains.names)]

    def _by_domain(self, items: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
        spread: dict[str, list[str]] = {}
        for item in items:
            spread.setdefault(self._domain(item), []).append(item)
        return spread.items()

    def _call(self, operation: str, domain: str, *, writes: bool = False, **request: Any) -> dict[str, Any]:
        """One operation on a domain, and again if the domain had to be created. Only a Select names it by itself."""
        if operation != "select":
            request["DomainName"] = domain
        self._domains.settle(domain, writes=writes)
        for attempt in range(2):
            method: Callable[..., dict[str, Any]] = getattr(self._clients.get("sdb"), operation)
            try:
                with mapped({"NoSuchDomain": _NoDomain(domain)}):
                    return method(**request)
            except _NoDomain:
                if attempt:
                    raise
                self._domains.absent(domain)
        raise AssertionError("unreachable")


class _NoDomain(LookupError):
    """SimpleDB knows no domain of that name."""


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
