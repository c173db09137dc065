"""Tokens in addresses that authorise by themselves: an HMAC over what they open and until when."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

from infra.ports import Clock

KEY_ID_LENGTH = 6


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
        return self.granting(until)(prefix)

    def granting(self, until: datetime) -> Callable[[str], str]:
        expires = f"{int(until.timestamp()):x}"
        start, common = f"{self._newest}-{expires}-", _begun(self._keys[self._newest], expires)

        def token(prefix: str) -> str:
            signing = common.copy()  # To begin with the key for each takes three times as long.
            return start + _signed(signing, prefix)

        return token

    def allows(self, prefix: str, token: str) -> bool:
        key_id, _, rest = token.partition("-")
        expires, _, signature = rest.partition("-")
        key = self._keys.get(key_id)
        if key is None:
            return False
        signed = _signed(_begun(key, expires), prefix)
        if not hmac.compare_digest(signature.encode(), signed.encode()):
            return False
        return int(expires, 16) > self._clock.now().timestamp()


def _begun(key: bytes, expires: str) -> hmac.HMAC:
    return hmac.new(key, f"{expires}\n".encode(), "sha256")


def _signed(begun: hmac.HMAC, prefix: str) -> str:
    begun.update(prefix.encode())
    return begun.hexdigest()[:32]
