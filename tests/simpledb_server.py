"""The fake SimpleDB behind a real HTTP server, which checks signatures."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from loopback import served
from simpledb_fake import MIB, FakeSimpleDb, Parameters, Refusal

SECRETS = {"double": "double"}


def signature(host: str, parameters: Parameters, secret: str) -> str:
    """AWS signature version 2 of a POST to `/` ("Request Authentication")."""
    pairs = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(parameters.items())
        if name != "Signature"
    )
    digest = hmac.new(secret.encode(), f"POST\n{host.lower()}\n/\n{pairs}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@contextmanager
def running(fake: FakeSimpleDb) -> Iterator[str]:
    """The fake's address, while it is served."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            parameters = dict(parse_qsl(body, keep_blank_values=True))
            try:
                secret = SECRETS.get(parameters.get("AWSAccessKeyId", ""), "")
                if parameters.get("Signature") != signature(self.headers["Host"], parameters, secret):
                    raise Refusal("SignatureDoesNotMatch", "The signature does not match.", 403)
                if parameters["Action"].startswith("Batch") and len(body) > MIB:
                    raise Refusal("RequestTooLarge", "The request is larger than 1 MB.", 413)
                status, text = 200, fake.answer(parameters)
                if fake.lose_answers:
                    fake.lose_answers -= 1
                    raise Refusal("ServiceUnavailable", "Service Amazon SimpleDB is currently unavailable.", 503)
            except Refusal as refusal:
                about = f"<Code>{refusal.code}</Code><Message>{escape(str(refusal))}</Message>"
                status = refusal.status
                text = f"<Response><Errors><Error>{about}</Error></Errors><RequestID>fake</RequestID></Response>"
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url
