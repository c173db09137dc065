"""A fake of bad days: an HTTP proxy in front of a server that speaks S3, which answers some requests wrongly.

Our own, not AWS's: it refuses (503 SlowDown, nothing done), fails after the fact (500 InternalError, though the
request was carried out), and breaks off answers in the middle. One request in `one_in` is hit, by a seeded draw.
It changes a byte of the next `damage` bodies that are PUT. While it is `away`, it hangs up on everyone without an
answer: in front of any service.
"""

import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from loopback import served

REFUSED = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
FAILED = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


class FaultProxy(ThreadingHTTPServer):
    def __init__(self, target: str, *, one_in: int, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.one_in = one_in
        self.away = False
        self.damage = 0
        self.hit: Counter[str] = Counter()
        self.seen = 0
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def fault(self, method: str) -> str:
        """What happens to the next request: nothing, or one of the faults."""
        with self._lock:
            self.seen += 1
            if self.away:
                self.hit["hang up"] += 1
                return "hang up"
            if not self.one_in or self._chance.randrange(self.one_in):
                return ""
            fault = self._chance.choice(["refuse", "fail after", *(["break"] if method == "GET" else [])])
            self.hit[fault] += 1
            return fault

    def damaged(self, body: bytes) -> bytes:
        with self._lock:
            if not self.damage or not body:
                return body
            self.damage -= 1
        return bytes([body[0] ^ 1]) + body[1:]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy

    def _handle(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            # http.server has sent the 100 already.
            del self.headers["Expect"]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "PUT":
            body = self.server.damaged(body)
        fault = self.server.fault(self.command)
        if fault == "hang up":
            self.close_connection = True
            return
        if fault == "refuse":
            self._answer(503, {"Content-Type": "application/xml"}, REFUSED)
            return
        status, headers, answer = self._ask(body)
        if fault == "fail after":
            self._answer(500, {"Content-Type": "application/xml"}, FAILED)
        elif fault == "break" and answer:
            self._answer(status, headers, answer, cut=len(answer) // 2)
        else:
            self._answer(status, headers, answer)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.target, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            with connection.getresponse() as response:
                answer = response.read()
                kept = {name: value for name, value in response.getheaders() if name.lower() not in _OWN}
                if self.command == "HEAD":
                    kept["Content-Length"] = response.headers["Content-Length"]
                return response.status, kept, answer
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815  # http.server finds them by these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
        """Nothing: the test says what it sees."""


_OWN = {"connection", "content-length", "date", "server", "transfer-encoding"}


@contextmanager
def faulty(target: str, *, one_in: int = 5, seed: int = 1) -> Iterator[FaultProxy]:
    """A proxy to `target` (a URL) while the context lasts."""
    proxy = FaultProxy(target, one_in=one_in, seed=seed)
    with served(proxy):
        yield proxy
