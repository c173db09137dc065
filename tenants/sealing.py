"""Texts that must be readable again, and not from a copy of the database: sealed with the server's secret (Fernet:
AES-128-CBC with HMAC-SHA-256). Each purpose has a key of its own, so that nothing sealed for one opens as another."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken


class Unreadable(ValueError):
    """It was sealed with another secret, or for another purpose."""


def seal(secret: str, purpose: str, text: str) -> str:
    return _fernet(secret, purpose).encrypt(text.encode()).decode()


def unseal(secret: str, purpose: str, sealed: str) -> str:
    """Raises `Unreadable`."""
    try:
        return _fernet(secret, purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable(purpose) from None


def _fernet(secret: str, purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"{purpose}\0{secret}".encode()).digest()))
