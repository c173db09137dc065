"""A request's body, read with the fewest copies that the server allows.

gunicorn reads bodies through layers that copy each byte several times. What it hands to the app as `wsgi.input` knows
the connection, though: `SocketBody` takes what the parser has read ahead and then receives straight from the socket
into the caller's buffer, keeping the parser's count right so that keep-alive goes on working. That leans on private
names of gunicorn (`Body.reader`, `LengthReader.unreader`, `Unreader.buf`), hence the exact pin in pyproject.toml and
`StreamBody` for every other server. tests/contracts/test_upload_rawbody.py notices when a new gunicorn differs.
"""

import io
import select
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import gevent
import gevent.socket
from gevent import monkey
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader

from uploader import offload

IDLE_SECONDS = 30.0
"""A body that brings nothing for this long is given up; what arrived is kept."""

_SPLASH = 256 * 1024
_FAST_SECONDS = 0.03

# gevent replaces it by one that runs the event loop; this one waits in a native thread.
_poll = monkey.get_original("select", "poll")

_LINGER_SECONDS = 2.0
_LINGER_BYTES = 32 * 1024 * 1024


class Stalled(Exception):
    """The client is connected but sends nothing."""


class Disconnected(Exception):
    """The client went away before the end of the body."""


class Body(Protocol):
    """`left` is how many bytes of the body are still to be read."""

    @property
    def left(self) -> int: ...

    def read_into(self, view: memoryview) -> int:
        """What is there now, up to the view's size; 0 if nothing is. Raises `Disconnected`."""

    def wait(self, seconds: float) -> bool:
        """Whether something is there to be read, after waiting up to `seconds`. A read is worth trying in any case."""

    def close(self) -> None:
        """To be called when no more will be read."""


class StreamBody:
    """Over `wsgi.input`, for any server. Reads block, so there is never a wait."""

    def __init__(self, stream: Any, length: int) -> None:
        self._stream = stream
        self.left = length

    def read_into(self, view: memoryview) -> int:
        try:
            data = self._stream.read(min(len(view), self.left))
        except OSError as error:
            raise Disconnected from error
        if not data:
            raise Disconnected
        view[: len(data)] = data
        self.left -= len(data)
        return len(data)

    def wait(self, seconds: float) -> bool:
        return True

    def close(self) -> None:
        """Nothing to release: the stream is the server's."""


class SocketBody:
    """Over gunicorn's socket."""

    def __init__(self, reader: LengthReader, sock: Any) -> None:
        self._reader = reader
        self._sock = sock
        self._ahead = memoryview(reader.unreader.buf.getvalue())
        # What the parser read ahead is ours up to the body's end; the rest belongs to the next request.
        rest = self._ahead[reader.length :]
        self._ahead = self._ahead[: reader.length]
        reader.unreader.buf = io.BytesIO()
        reader.unreader.buf.write(rest)
        self._low_water = 1
        self._watcher = gevent.get_hub().loop.io(sock.fileno(), 1) if offload.is_cooperative() else None

    @property
    def left(self) -> int:
        return int(self._reader.length)

    def read_into(self, view: memoryview) -> int:
        if self._ahead:
            count = min(len(view), len(self._ahead))
            view[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
        else:
            count = self._receive(view[: self.left])
        self._reader.length -= count
        return count

    def _receive(self, view: memoryview) -> int:
        if not view:
            return 0
        before = self._sock.gettimeout()
        self._sock.settimeout(0)
        try:
            count = int(self._sock.recv_into(view))
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Disconnected from error
        finally:
            self._sock.settimeout(before)
        if count == 0:
            raise Disconnected
        return count

    def read_soon(self, view: memoryview) -> int:
        """From a native thread: fill the view, or take what came within a moment; 0 if nothing did."""
        if not self._ahead:
            self._set_low_water(len(view))
            waiter = _poll()
            waiter.register(self._sock.fileno(), select.POLLIN)
            waiter.poll(_FAST_SECONDS * 1000)
        return self.read_into(view)

    def wait(self, seconds: float) -> bool:
        if self._ahead:
            return True
        began = time.monotonic()
        ready = self._ready(_FAST_SECONDS if self._low_water > 1 else seconds)
        is_fast = ready and time.monotonic() - began < _FAST_SECONDS
        if not ready and self._low_water > 1:
            self._set_low_water(1)
            ready = self._ready(seconds)
        elif is_fast:
            self._set_low_water(_SPLASH)
        return ready

    def _ready(self, seconds: float) -> bool:
        # Ready too when the client has gone, which the next read tells.
        if self._watcher is None:
            return bool(select.select([self._sock], [], [], seconds)[0])
        try:
            gevent.socket.wait(self._watcher, seconds, TimeoutError())
        except TimeoutError:
            return False
        return True

    def _set_low_water(self, wanted: int) -> None:
        """From a fast client, wake up for a good splash of bytes instead of for each drop (SO_RCVLOWAT, socket(7))."""
        wanted = max(1, min(wanted, self.left))
        if wanted != self._low_water:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
            self._low_water = wanted

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
        self._set_low_water(1)


def open_body(environ: dict[str, Any], length: int) -> Body:
    """The body of the request, `length` bytes long, ready to be read. Sends `100 Continue` if that is still due."""
    send_continue(environ)
    stream, sock = environ["wsgi.input"], environ.get("gunicorn.socket")
    reader = getattr(stream, "reader", None)
    if (
        sock is not None
        and isinstance(reader, LengthReader)
        and isinstance(reader.unreader, SocketUnreader)
        and reader.length == length
        and stream.buf.tell() == 0
        and environ.get("wsgi.url_scheme") == "http"
    ):
        return SocketBody(reader, sock)
    return StreamBody(stream, length)


# --- Expect: 100-continue and early refusals -------------------------------------------------------------------------


def prepare_request(_worker: Any, request: Any) -> None:
    """gunicorn's `pre_request` hook: leave `100 Continue` (RFC 9110, section 10.1.1) to the app.

    gunicorn would send it before the app has looked at the request, and a client would send gigabytes to be refused.
    """
    request.body.request = request
    request.body.continue_due = request._expected_100_continue
    request._expected_100_continue = False


def send_continue(environ: dict[str, Any]) -> None:
    """Ask the client for the body, if it waits to be asked."""
    stream = environ["wsgi.input"]
    if getattr(stream, "continue_due", False):
        stream.continue_due = False
        environ["gunicorn.socket"].sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def refuse_body(environ: dict[str, Any]) -> Callable[[], None] | None:
    """Prepare to answer without having read the whole body: the connection ends with this response.

    Returns what to call once the response is sent. Closing a socket that still has bytes to read resets the connection
    and the client may never see the answer, so what is under way is swallowed for a moment. None: nothing is unread.
    """
    stream, sock = environ["wsgi.input"], environ.get("gunicorn.socket")
    reader = getattr(stream, "reader", None)
    request = getattr(stream, "request", None)
    if sock is None or request is None or not isinstance(reader, LengthReader) or reader.length == 0:
        return None
    request.force_close()
    if stream.continue_due:
        return None  # The client has sent nothing: it waits to be asked.
    return partial(_swallow, sock, reader.length)


def _swallow(sock: Any, length: int) -> None:
    scratch = bytearray(64 * 1024)
    deadline = time.monotonic() + _LINGER_SECONDS
    allowance = min(length, _LINGER_BYTES)
    try:
        sock.shutdown(socket.SHUT_WR)
        while allowance > 0 and (left := deadline - time.monotonic()) > 0:
            if not select.select([sock], [], [], left)[0]:
                return
            count = sock.recv_into(scratch)
            if count == 0:
                return
            allowance -= count
    except OSError:
        return  # The client closed first, which is just as well.
