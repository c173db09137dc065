"""CloudFront's signed cookies and signed URLs (Developer Guide, "Serve private content").

Signed with ECDSA on P-256, or with RSA of 2,048 bits, always over SHA-256, which the fourth cookie and the parameter
`Hash-Algorithm` say. An ECDSA signature costs a small part of RSA's.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

_ALPHABET = str.maketrans("+=/", "-_~")
"""The Developer Guide's own variant of URL-safe base64."""


class Signer:
    """One key of the key group that the distribution trusts. `key_id` is CloudFront's id of its public half."""

    def __init__(self, key_id: str, pem: bytes) -> None:
        key = serialization.load_pem_private_key(pem, password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            fits = isinstance(key.curve, ec.SECP256R1)
        else:
            fits = isinstance(key, rsa.RSAPrivateKey) and key.key_size == 2048
        if not fits or not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ValueError(f"{key_id}: CloudFront takes ECDSA keys on P-256 and RSA keys of 2,048 bits.")
        self.key_id = key_id
        self._key = key

    def cookies(self, resource: str, until: datetime) -> Mapping[str, str]:
        """For addresses that fit `resource`, which may end in `*`."""
        policy = _policy(resource, until)
        return {
            "CloudFront-Policy": _encoded(policy),
            "CloudFront-Signature": _encoded(self._sign(policy)),
            "CloudFront-Key-Pair-Id": self.key_id,
            "CloudFront-Hash-Algorithm": "SHA256",
        }

    def url(self, url: str, until: datetime) -> str:
        """The address with a canned policy, which CloudFront puts together again by itself."""
        signature = _encoded(self._sign(_policy(url, until)))
        join = "&" if "?" in url else "?"
        return (
            f"{url}{join}Expires={int(until.timestamp())}&Signature={signature}"
            f"&Key-Pair-Id={self.key_id}&Hash-Algorithm=SHA256"
        )

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))


def read_signers(pairs: Sequence[str]) -> list[Signer]:
    """From `<public key id>=<PEM file>` each, the newest first."""
    return [Signer(key_id, Path(path).read_bytes()) for key_id, _, path in (pair.partition("=") for pair in pairs)]


def _policy(resource: str, until: datetime) -> bytes:
    """The order of members matters in a canned policy, and so does the absence of blanks."""
    condition = {"DateLessThan": {"AWS:EpochTime": int(until.timestamp())}}
    return json.dumps({"Statement": [{"Resource": resource, "Condition": condition}]}, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode().translate(_ALPHABET)
