"""How much of something fits into one request."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size_of: Callable[[T], int], *, most: int, max_bytes: int) -> Iterator[list[T]]:
    """The items in order, as many at a time as a request takes: `most` of them, of `max_bytes` by `size_of`.

    An item that is larger than a request is one on its own: whoever is asked refuses it, and no neighbour with it.
    """
    batch: list[T] = []
    size = 0
    for item in items:
        added = size_of(item)
        if batch and (len(batch) == most or size + added > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield batch
