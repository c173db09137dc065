"""Many who write one key at once: of them one must win."""

import threading
from collections.abc import Callable

from infra.errors import BlobExists


def winners(count: int, write: Callable[[int], object]) -> list[int]:
    """The numbers below `count` whose `write`, all begun at the same moment, was not refused with `BlobExists`."""
    won: list[int] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            write(number)
            won.append(number)
        except BlobExists:
            pass

    at_once(count, run)
    return won


def at_once(count: int, run: Callable[[int], object]) -> None:
    """`run` each number below `count` in a thread of its own, to the end."""
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
