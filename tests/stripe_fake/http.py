"""The fake behind a real HTTP server, and webhooks signed as Stripe signs them."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from loopback import served

from stripe_fake.core import FakeStripe
from stripe_fake.forms import parse


@contextmanager
def running(fake: FakeStripe) -> Iterator[str]:
    """The fake's address, while it is served."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            text = parts.query
            if self.command == "POST":
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = fake.answer(self.command, parts.path, parse(text), headers)
            if fake.lose_answers:
                fake.lose_answers -= 1
                self.close_connection = True
                return
            self._send(status, json.dumps(document).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Request-Id", f"req_fake_{len(fake.asked)}")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


def signed(event: dict[str, Any], secret: str, *, age: int = 0) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a webhook that was sent `age` seconds ago (docs.stripe.com/webhooks/signature).

    Real time, not the test's: stripe-python compares with the machine's clock.
    """
    body = json.dumps(event).encode()
    sent = int(time.time()) - age
    mac = hmac.new(secret.encode(), f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"Stripe-Signature": f"t={sent},v1={mac}", "Content-Type": "application/json; charset=utf-8"}
