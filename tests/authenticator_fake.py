"""A fake of an authenticator and of the browser in front of it: it signs as a device does (WebAuthn Level 3, 6), and
says whatever a test wants it to say. A real browser with Chromium's own virtual authenticator is in tests/browser."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

PRESENT, VERIFIED, WITH_KEY = 0x01, 0x04, 0x40


@dataclass
class AuthenticatorFake:
    """One passkey. `says` is what the next answers claim instead of the truth: `origin`, `rp`, `flags`, `cross`,
    `challenge`."""

    origin: str = "https://alpha.localhost"
    count: int = 0
    counts: bool = True
    says: dict[str, Any] = field(default_factory=dict)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    handle: bytes = b""
    rp: str = ""

    def create(self, options: dict[str, Any]) -> str:
        """RegistrationResponseJSON."""
        self.handle, self.rp = base64url_to_bytes(options["user"]["id"]), options["rp"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        data = self._data(WITH_KEY) + bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data + cbor2.dumps(cose)})
        client = self._client("webauthn.create", options["challenge"])
        return self._answer(clientDataJSON=client, attestationObject=attested)

    def get(self, options: dict[str, Any]) -> str:
        """AuthenticationResponseJSON."""
        self.count += self.counts
        data, client = self._data(), self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=self.handle)

    def _data(self, more: int = 0) -> bytes:
        rp, flags = self.says.get("rp", self.rp), self.says.get("flags", PRESENT | VERIFIED)
        return hashlib.sha256(rp.encode()).digest() + bytes([flags | more]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        told = {
            "type": kind,
            "challenge": self.says.get("challenge", challenge),
            "origin": self.says.get("origin", self.origin),
            "crossOrigin": self.says.get("cross", False),
        }
        return json.dumps(told).encode()

    def _answer(self, **response: bytes) -> str:
        known = bytes_to_base64url(self.credential_id)
        told = {name: bytes_to_base64url(value) for name, value in response.items()}
        return json.dumps({"id": known, "rawId": known, "type": "public-key", "response": told})
