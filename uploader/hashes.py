"""Running SHA-256s of uploads, kept between the requests of one process.

A hash that was fed every byte from the first spares reading the file again at the end. It is only an economy: after a
restart, or on another server, there is none and `finish` reads the stored bytes instead.
"""

import hashlib
from collections import OrderedDict

_KEPT = 4096

_running: "OrderedDict[str, tuple[int, hashlib._Hash]]" = OrderedDict()


def take(key: str, offset: int) -> "hashlib._Hash | None":
    """The hash of the first `offset` bytes under an intake key, or None if it is not known here."""
    at, running = _running.pop(key, (0, None))
    if offset == 0:
        return hashlib.sha256()
    return running if at == offset else None


def keep(key: str, offset: int, running: "hashlib._Hash | None") -> None:
    """Remember for the next request; the oldest is forgotten when there are many."""
    if running is not None:
        _running[key] = (offset, running)
        while len(_running) > _KEPT:
            _running.popitem(last=False)
