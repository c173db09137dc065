"""The second factor of a sign-in: a code of six digits from an app (TOTP, RFC 6238), or a recovery code instead.

The app's secret is stored sealed with a key that is made from the deployment's, so a copy of the database alone opens
nothing. Each code opens once: the time step of the last one is kept, and only later ones are good.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

import pyotp
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Index, String, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, new_id
from tenants.people import Member

STEP_SECONDS = 30
DRIFT = 1
"""Steps that a phone's clock may be off, either way."""
CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of recovery codes: no i, l, o, 0 or 1, which people mistake for one another."""


class RecoveryCode(TenantOwned, Base):
    """Good once. 59 bits from a random source: a plain SHA-256 gives nothing to guess at."""

    __tablename__ = "recovery_codes"
    __table_args__ = (belongs_to("members", "member_id"), Index("ix_recovery_codes_member", "tenant_id", "member_id"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    sha256: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]


def new_secret() -> str:
    """Base32, as apps and their users take it; 160 bits (RFC 4226, 4)."""
    return pyotp.random_base32()


def address(secret: str, member: Member, issuer: str) -> str:
    """What the QR code says (`otpauth://`)."""
    return pyotp.TOTP(secret).provisioning_uri(name=str(member.email), issuer_name=issuer)


def seal(key: str, secret: str) -> str:
    """`key` is the deployment's secret."""
    return _fernet(key).encrypt(secret.encode()).decode()


def unseal(key: str, sealed: str) -> str | None:
    """None for what another key has sealed, or nobody."""
    try:
        return _fernet(key).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def enable(session: Session, member: Member, key: str, secret: str, given: str, *, now: datetime) -> list[str]:
    """From now on signing in asks for a code; the recovery codes, which nobody can be told again.

    Raises `Problem` if `given` is not the app's code now: whoever cannot make one would be locked out.
    """
    step = _step(secret, given, now)
    if step is None:
        raise Problem("invalid", "That code does not fit. Enter the one that the app shows now.", field="code")
    member.totp_sealed, member.totp_step = seal(key, secret), step
    return renew(session, member)


def renew(session: Session, member: Member) -> list[str]:
    """Fresh recovery codes in the place of those before."""
    _forget(session, member)
    codes = [_code() for _ in range(CODES)]
    session.add_all(
        RecoveryCode(tenant_id=member.tenant_id, id=new_id(), member_id=member.id, sha256=_digest(code))
        for code in codes
    )
    session.flush()
    return codes


def disable(session: Session, member: Member) -> None:
    member.totp_sealed = member.totp_step = None
    _forget(session, member)


def left(session: Session, member: Member) -> int:
    """Recovery codes that are still good."""
    unused = (RecoveryCode.member_id == member.id, RecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused)) or 0


def passes(session: Session, member: Member, key: str, given: str, *, now: datetime) -> bool:
    """Whether the code is the app's or an unused recovery code; it is used up by that.

    Two who send the same code at once: one passes.
    """
    if member.totp_sealed is None:
        return False
    secret = unseal(key, member.totp_sealed)
    step = _step(secret, given, now) if secret else None
    return _take_step(session, member, step) if step is not None else _take_code(session, member, given, now)


def _take_step(session: Session, member: Member, step: int) -> bool:
    taken = session.execute(
        update(Member)
        .where(
            Member.tenant_id == member.tenant_id,
            Member.id == member.id,
            or_(Member.totp_step.is_(None), Member.totp_step < step),
        )
        .values(totp_step=step)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _take_code(session: Session, member: Member, given: str, now: datetime) -> bool:
    taken = session.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.tenant_id == member.tenant_id,
            RecoveryCode.member_id == member.id,
            RecoveryCode.sha256 == _digest(given),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _forget(session: Session, member: Member) -> None:
    session.execute(
        delete(RecoveryCode)
        .where(RecoveryCode.tenant_id == member.tenant_id, RecoveryCode.member_id == member.id)
        .execution_options(synchronize_session=False)
    )


def _step(secret: str, given: str, now: datetime) -> int | None:
    """The time step whose code this is; None if it is of none around now."""
    digits = "".join(given.split())
    here = int(now.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    found = None
    for step in range(here - DRIFT, here + DRIFT + 1):  # All are compared, so that time tells nothing.
        if hmac.compare_digest(totp.at(step * STEP_SECONDS).encode(), digits.encode()):
            found = step
    return found


def _code() -> str:
    """Such as `k7mq-9xhd-2ptw`."""
    text = "".join(secrets.choice(_LETTERS) for _ in range(12))
    return "-".join((text[:4], text[4:8], text[8:]))


def _digest(code: str) -> str:
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()


def _fernet(key: str) -> Fernet:
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"vitrine totp").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(made))
