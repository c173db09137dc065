"""Servers of the tests' own on the loopback interface: free ports, waiting for one, HTTP servers in a thread."""

import ctypes
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

_given: set[int] = set()
"""Ports that this process handed out: whoever got one may not have opened it yet."""


def free_port() -> int:
    """A free port below the range that outgoing connections take theirs from, so that none of them takes it first.

    Test processes (pytest-xdist) draw from ranges of their own.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 6
    while True:
        port = random.randint(20_000 + 2_000 * process, 21_999 + 2_000 * process)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


def wait_for_port(port: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def end_with_the_tests() -> None:
    """In a child before it runs: the kernel stops it when the tests are killed (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[str]:
    """The server's address, while a thread serves it."""
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
