"""The port of media attributes."""

from collections.abc import Iterator, Mapping
from typing import Protocol


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
