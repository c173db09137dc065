"""Bytes of one request into the intake: from a slow client by way of the event loop, from a fast one in bursts.

Small pieces are gathered before a native thread hashes and writes them: a thread for each would cost more than the
piece, and a write on the event loop may have to wait for the disk. A client that fills the scratch buffer at once is
worth two native threads until it pauses (`burst`). A slow upload takes up to 512 KiB of memory, a burst 3 MiB more.
"""

import contextlib
import time
from dataclasses import dataclass

import structlog

from infra.errors import Problem, StorageFull
from infra.ports import IntakeWriter
from uploader import burst, hashes, offload, recorder
from uploader.locks import Lease
from uploader.protocol import Checksum
from uploader.rawbody import IDLE_SECONDS, Body, Disconnected, SocketBody, Stalled
from uploader.recorder import Note

log = structlog.get_logger(__name__)

GATHERED = 256 * 1024
RECORD_BYTES = 16 * 1024 * 1024
RECORD_SECONDS = 2.0
_TICK_SECONDS = 1.0
_BURST_TICK_SECONDS = 0.1

# What any upload receives on the event loop lands here first; no greenlet switch happens before it is copied.
_scratch = memoryview(bytearray(GATHERED))


@dataclass(frozen=True)
class Arrived:
    """`offset` is committed. `sha256` is of everything up to it, where this process has seen it all.

    `trouble` says why the body ended early, None if it did not.
    """

    offset: int
    sha256: str | None
    trouble: Problem | Disconnected | None = None


class Receiver:
    """Moves one body into one writer. Its caller holds the lease."""

    def __init__(self, lease: Lease, writer: IntakeWriter, checksum: Checksum | None) -> None:
        self._lease = lease
        self._writer = writer
        self._offset = self._committed = lease.offset
        self._checksum = checksum
        self._check = checksum.hasher() if checksum else None
        self._running = hashes.take(lease.key, lease.offset)
        self._before = self._running.copy() if checksum and self._running else None
        self._job: offload.Pending[None] | None = None
        self._gathered = bytearray()
        self._note: Note | None = None
        self._noted_at = time.monotonic()
        self._noted = lease.offset

    def run(self, body: Body) -> Arrived:
        """What a client or a disk does wrong is in the result, never raised. Raises `LeaseLost`."""
        trouble: Problem | Disconnected | None = None
        try:
            self._pump(body)
        except Disconnected as gone:
            trouble = gone
        except Stalled:
            trouble = Problem("timeout", "Nothing arrived for a while. Resume from the offset.")
        except StorageFull:
            trouble = self._no_room()
        except BaseException:
            self._quiesce()
            raise
        return self._finish(trouble)

    def _quiesce(self) -> None:
        """No thread may go on using the writer and the lease after this."""
        with contextlib.suppress(Exception):
            self._settle()
        if self._note is not None:
            recorder.settle(self._note)

    def _pump(self, body: Body) -> None:
        while body.left:
            self._await_bytes(body)
            if self._gather(body) and isinstance(body, SocketBody):
                self._burst(body)
            self._record_if_due()

    def _await_bytes(self, body: Body) -> None:
        """Wait without a buffer; meanwhile write down what came before. Raises `Stalled`."""
        idle = 0.0
        while not body.wait(_TICK_SECONDS):
            idle += _TICK_SECONDS
            if idle >= IDLE_SECONDS:
                raise Stalled
            self._record_if_due()

    def _gather(self, body: Body) -> bool:
        """Take what there is now; whether there was plenty."""
        count = _fill(body, _scratch)
        self._offset += count
        self._gathered += _scratch[:count]
        if len(self._gathered) >= GATHERED:
            self._flush()
        return count == len(_scratch)

    def _burst(self, body: SocketBody) -> None:
        """Have native threads take all they can get, if any are free. Raises what they, or a note, met."""
        with burst.slot() as granted:
            if granted:
                self._flush()
                self._settle()
                began, run = self._offset, burst.Burst(body, self._writer, self._update)
                receiving = offload.start(offload.FAST, run.receive)
                hashing = offload.start(offload.FAST, run.hash)
                try:
                    while not receiving.wait(_BURST_TICK_SECONDS):
                        self._offset = began + run.received
                        self._record_if_due()
                finally:
                    run.stopped = True
                    hashing.get()
                    self._offset = began + run.received
                receiving.get()

    def _flush(self) -> None:
        """Give the thread what was gathered."""
        if self._gathered:
            self._settle()
            gathered, self._gathered = self._gathered, bytearray()
            self._job = offload.start(offload.BYTES, self._take_in, memoryview(gathered))

    def _take_in(self, view: memoryview) -> None:
        self._writer.write(view)
        self._update(view)

    def _update(self, view: memoryview) -> None:
        if self._running is not None:
            self._running.update(view)
        if self._check is not None:
            self._check.update(view)

    def _settle(self) -> None:
        """Wait for the thread to be done with the buffer that it has."""
        job, self._job = self._job, None
        if job is not None:
            job.get()

    def _record_if_due(self) -> None:
        """Have what was written made durable and noted now and then, without waiting. Raises what the last note met."""
        if self._note is not None:
            if not self._note.finished.is_set():
                return
            note, self._note = self._note, None
            if note.error is not None:
                raise note.error
            self._committed = note.offset
        # Bytes under a checksum count for nothing before the checksum is known to be right.
        if self._checksum is None and self._is_much_new():
            self._flush()
            self._settle()
            self._noted, self._noted_at = self._offset, time.monotonic()
            self._note = Note(self._lease, self._writer)
            recorder.ask(self._note)

    def _is_much_new(self) -> bool:
        new = self._offset - self._noted
        return new >= RECORD_BYTES or (new > 0 and time.monotonic() - self._noted_at >= RECORD_SECONDS)

    def _finish(self, trouble: Problem | Disconnected | None) -> Arrived:
        """Keep what arrived, as far as it is durable, and say where the upload stands."""
        try:
            self._flush()
            self._settle()
        except StorageFull:
            trouble = self._no_room()
        self._quiesce()
        if self._checksum is not None:
            trouble = trouble or self._verify()
            if trouble is not None:
                hashes.keep(self._lease.key, self._lease.offset, self._before)
                return Arrived(self._lease.offset, None, trouble)
        try:
            self._committed = offload.call(offload.BYTES, self._writer.commit)
        except StorageFull:
            trouble = self._no_room()
        if self._committed != self._offset:
            self._running = None
        hashes.keep(self._lease.key, self._committed, self._running)
        return Arrived(self._committed, self._running.hexdigest() if self._running else None, trouble)

    def _no_room(self) -> Problem:
        """How much of the last buffer was written is not known here, so the running hash is of no use any more."""
        log.error("no room for an upload", upload=self._lease.upload_id)
        self._running = None
        self._gathered.clear()
        return Problem("disk-full", "What was acknowledged is kept. Resume later.")

    def _verify(self) -> Problem | None:
        assert self._check is not None and self._checksum is not None
        if self._check.digest() == self._checksum.digest:
            return None
        return Problem("checksum-mismatch", "The bytes of this request were dropped. Send them again.")


def _fill(body: Body, view: memoryview) -> int:
    """Read what there is now, up to the view's size."""
    count = 0
    while body.left and (room := min(len(view) - count, body.left)):
        got = body.read_into(view[count:])
        count += got
        if got < room:
            break  # A short read: nothing more is there, so another would be in vain.
    return count
