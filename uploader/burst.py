"""A fast client's bytes, off the event loop: one native thread receives and writes them, a second hashes them.

The hash takes about as long as the rest together (docs/adr/0010), so it has a thread, and a core, to itself. A few
pieces go round between the two, full ones to be hashed and free ones to be filled: memory is bounded, the slower
thread sets the pace, and a piece is written while it is still in the cache of the core that received it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent import monkey

from infra.ports import IntakeWriter
from uploader import offload
from uploader.rawbody import SocketBody

PIECE = 1024 * 1024
PIECES = 3
PAUSE = 64 * 1024
"""Who brings less than this while a piece is waited for is not fast any more."""
LIMIT = 4
"""How many bursts run at once. More would only share the same cores; others go on through the event loop."""

# gevent replaces it by one for greenlets; this one passes things between native threads.
_Queue = monkey.get_original("queue", "SimpleQueue")

_running = 0


@contextmanager
def slot() -> Iterator[bool]:
    """Whether a burst may run now; if so, until the block ends."""
    global _running
    granted = offload.is_cooperative() and _running < LIMIT
    _running += granted
    try:
        yield granted
    finally:
        _running -= granted


class Burst:
    """One run of pieces, until the body ends or the client pauses. `received` bytes were taken so far."""

    def __init__(self, body: SocketBody, writer: IntakeWriter, update: Callable[[memoryview], None]) -> None:
        self._body = body
        self._writer = writer
        self._update = update
        self._free = _Queue()
        self._full = _Queue()
        for _ in range(PIECES):
            self._free.put(memoryview(bytearray(PIECE)))
        self.received = 0
        self.stopped = False

    def receive(self) -> None:
        """The first thread's work. Raises `Disconnected`, or what the writer raises; what came before is written."""
        try:
            while self._body.left and not self.stopped:
                piece = self._free.get()
                count = self._body.read_soon(piece)
                self._full.put((piece, count))
                self.received += count
                self._writer.write(piece[:count])
                if count < PAUSE:
                    return
        finally:
            self._full.put(None)

    def hash(self) -> None:
        """The second thread's work; ends after the first's."""
        while (filled := self._full.get()) is not None:
            piece, count = filled
            self._update(piece[:count])
            self._free.put(piece)
