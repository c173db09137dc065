"""A fake of EC2's instance metadata service, version 2: a real HTTP server, in memory.

It does what the EC2 user guide says ("Use the Instance Metadata Service", "Spot Instance interruption notices"): a GET
without a valid token is a 401, a token has a TTL of 1 s to 6 h (else a 400) and ends with it, a token is not given to a
request that was forwarded (403), and a notice that was not given is a 404.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loopback import served

MAX_TTL = 21600


class FakeImds:
    """`notices` are documents by path below `/latest/meta-data/`; `later` moves the time of tokens."""

    def __init__(self) -> None:
        self.notices: dict[str, Any] = {}
        self.requests: list[tuple[str, str]] = []
        self._tokens: dict[str, float] = {}
        self._now = 0.0

    def later(self, seconds: float) -> None:
        self._now += seconds

    def interrupt(self, action: str, time: str) -> None:
        self.notices["spot/instance-action"] = {"action": action, "time": time}

    def recommend_rebalance(self, time: str) -> None:
        self.notices["events/recommendations/rebalance"] = {"noticeTime": time}

    def token(self, ttl: str | None, forwarded: bool) -> tuple[int, bytes]:
        if forwarded:
            return 403, b""
        if ttl is None or not ttl.isdigit() or not 1 <= int(ttl) <= MAX_TTL:
            return 400, b""
        token = secrets.token_urlsafe(40)
        self._tokens[token] = self._now + int(ttl)
        return 200, token.encode()

    def get(self, path: str, token: str | None) -> tuple[int, bytes]:
        if self._tokens.get(token or "", self._now) <= self._now:
            return 401, b""
        if path not in self.notices:
            return 404, b"<?xml version='1.0'?>"
        document = self.notices[path]
        return 200, document if isinstance(document, bytes) else json.dumps(document).encode()


@contextmanager
def running(fake: FakeImds) -> Iterator[str]:
    """The fake's address, while it is served."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            assert self.path == "/latest/api/token"
            ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            self._answer(*fake.token(ttl, "X-Forwarded-For" in self.headers))

        def do_GET(self) -> None:
            path = self.path.removeprefix("/latest/meta-data/")
            self._answer(*fake.get(path, self.headers.get("X-aws-ec2-metadata-token")))

        def _answer(self, status: int, body: bytes) -> None:
            fake.requests.append((self.command, self.path))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url
