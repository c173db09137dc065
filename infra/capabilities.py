"""Tokens in addresses that authorise by themselves: an HMAC over what they open and until when."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

from infra.ports import Clock

KEY_ID_LENGTH = 6
LENGTH = 32
"""Hex digits of a signature."""


class Capabilities:
    """The half of `infra.ports.Edge` that every adapter shares: the app checks tokens itself, also behind CloudFront.

    A token is `<key id>-<expiry, hex epoch seconds>-<32 hex digits of an HMAC-SHA-256>`. The first secret signs and
    all of them are accepted, so pages that are open while a new one is put in front go on working.
    """

    def __init__(self, secrets: Sequence[str], clock: Clock) -> None:
        # Keys of their own, so that a token can never pass for something else that the app signs.
        keys = [hashlib.sha256(b"vitrine edge\0" + secret.encode()).digest() for secret in secrets]
        self._keys = {hashlib.sha256(key).hexdigest()[:KEY_ID_LENGTH]: key for key in reversed(keys)}
        self._newest = next(reversed(self._keys))
        self._clock = clock

    def grant(self, prefix: str, *, until: datetime) -> str:
        return self.granting(until, "")(prefix)

    def granting(self, until: datetime, within: str) -> Callable[[str], str]:
        expires = f"{int(until.timestamp()):x}"
        hexdigest = _begun(self._keys[self._newest], _before(expires) + within.encode())
        start = f"{self._newest}-{expires}-"
        return lambda rest: f"{start}{hexdigest(rest.encode())[:LENGTH]}"

    def allows(self, prefix: str, token: str) -> bool:
        key_id, _, rest = token.partition("-")
        expires, _, signature = rest.partition("-")
        key = self._keys.get(key_id)
        if key is None:
            return False
        signed = hmac.new(key, _before(expires) + prefix.encode(), "sha256").hexdigest()[:LENGTH]
        if not hmac.compare_digest(signature.encode(), signed.encode()):
            return False
        return int(expires, 16) > self._clock.now().timestamp()


def _before(expires: str) -> bytes:
    """What is signed before the prefix."""
    return f"{expires}\n".encode()


def _begun(key: bytes, start: bytes) -> Callable[[bytes], str]:
    """HMAC-SHA-256 (RFC 2104) of many messages with a common start, which is hashed once; takes what follows. `key` has
    64 bytes at most. The library's own takes twice as long to copy and to finish, 200 times a page. It checks these."""
    padded = key.ljust(64, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in padded)) for pad in (0x36, 0x5C))
    inner.update(start)

    def hexdigest(rest: bytes) -> str:
        first, second = inner.copy(), outer.copy()
        first.update(rest)
        second.update(first.digest())
        return second.hexdigest()

    return hexdigest
