"""gunicorn's threads, for people's browsers: a connection on which nothing comes or goes holds none of them.

gunicorn gives a new connection to a thread at once, which waits five seconds for its first byte, and for ever for the
rest. Browsers open spare connections: a dozen of those stop a process of eight threads (docs/adr/0161-web-server.md).
"""

import errno
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers import gthread

STALLED_SECONDS = 60.0
"""Of a connection that neither sends the rest of what it began nor takes what it asked for; then it is closed."""


class Connection(gthread.TConn):  # type: ignore[misc]  # gunicorn has no types
    def init(self) -> None:
        """Called before each request, in its thread, when the socket has just been made to block."""
        first = self.parser is None
        super().init()
        self.sock.settimeout(STALLED_SECONDS)
        if first and not self.is_http2:
            self.parser.unreader = _Unreader(self.sock)


class _Unreader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    def chunk(self, size_hint: int | None = None) -> bytes:
        try:
            data: bytes = super().chunk(size_hint)
        except TimeoutError as stalled:
            raise _gone() from stalled
        return data


class Threads(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """`worker_class` of the web fleet."""

    def enqueue_req(self, conn: Connection) -> None:
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        # As gunicorn does it after its five seconds.
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _cap_keepalive(self, deadline: float) -> None:
        """A worker that stops waits for a silent connection no longer than for one that is kept."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def handle_request(self, req: Any, conn: Connection) -> bool:
        try:
            kept: bool = super().handle_request(req, conn)
        except TimeoutError as stalled:
            raise _gone() from stalled
        return kept


def _gone() -> ConnectionResetError:
    """What gunicorn makes no noise about."""
    return ConnectionResetError(errno.ECONNRESET, "the client stalled")


gthread.TConn = Connection  # gunicorn has no setting for it.
