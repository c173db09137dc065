"""Signed addresses that the app itself checks: CloudFront's semantics without CloudFront."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from infra.ports import Clock


class AppEdge:
    """Implements `infra.ports.Edge`. A token is `<expiry, hex epoch seconds>-<32 hex digits of an HMAC-SHA-256>`."""

    def __init__(self, secret: str, clock: Clock) -> None:
        # Its own key, so that a token can never pass for something else that the app signs.
        self._secret = hashlib.sha256(b"vitrine edge\0" + secret.encode()).digest()
        self._clock = clock

    def grant(self, prefix: str, *, until: datetime) -> str:
        expires = f"{int(until.timestamp()):x}"
        return f"{expires}-{self._signature(prefix, expires)}"

    def allows(self, prefix: str, token: str) -> bool:
        expires, _, signature = token.partition("-")
        if not hmac.compare_digest(signature.encode(), self._signature(prefix, expires).encode()):
            return False
        return int(expires, 16) > self._clock.now().timestamp()

    def invalidate(self, prefixes: Sequence[str]) -> None:
        """Nothing to purge: the app keeps no copies and asks the store on each request."""

    def _signature(self, prefix: str, expires: str) -> str:
        return hmac.new(self._secret, f"{expires}\n{prefix}".encode(), hashlib.sha256).hexdigest()[:32]
