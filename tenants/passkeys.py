"""Passkeys: key pairs that members sign in with (WebAuthn Level 3), by the library `webauthn`.

One signs only after its device has checked who holds it (user verification), so it is both factors at once. It belongs
to a member of a tenant and to the host where it was made, which is the RP ID: browsers offer it nowhere else, and here
it is found nowhere else. The database holds public keys alone.

The library is loaded by who first uses a passkey: its tables of ASN.1 are large.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, String, UniqueConstraint, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import N_, Problem
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, new_id
from tenants.people import Member

LIFETIME = timedelta(minutes=5)
"""Of a challenge, from when it was made."""
MOST = 20
"""Passkeys of one member."""
MOST_CHARACTERS = 20_000
"""Of an answer from a browser; real ones stay below 3,000."""
NAME_LENGTH = 80
_BROKEN = (ValueError, TypeError, KeyError, RecursionError)
"""What reading an answer that no browser makes may end in, besides the library's own."""
REFUSED = N_("This passkey does not open this site. Sign in with your password.")
"""For every reason the same: it does not tell which passkeys there are."""


class Passkey(TenantOwned, Base):
    __tablename__ = "passkeys"
    __table_args__ = (
        belongs_to("members", "member_id"),
        UniqueConstraint("tenant_id", "credential_id"),
        Index("ix_passkeys_member", "tenant_id", "member_id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    host: Mapped[str] = mapped_column(String(253))
    """The RP ID."""
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    credential_id: Mapped[str] = mapped_column(String(1364))
    """Base64url; at most 1,023 bytes (WebAuthn, 5.8.3)."""
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    """A COSE_Key (RFC 9052, 7)."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SpentChallenge(TenantOwned, Base):
    """One that was answered well. Challenges are kept in the session's signed cookie, which could be brought again."""

    __tablename__ = "spent_challenges"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    spent_at: Mapped[datetime]


class CounterWentBack(Exception):
    """The signature is good, its counter is not above the last one: there may be a copy of the key (WebAuthn, 7.2)."""

    def __init__(self, passkey: Passkey) -> None:
        super().__init__(f"the counter of passkey {passkey.id} went back")
        self.passkey = passkey


@dataclass(frozen=True)
class Here:
    """Where the browser is: `host` without a port, and the origin as it says it itself."""

    host: str
    origin: str


def new_challenge() -> bytes:
    """256 bits (WebAuthn, 13.4.3 wants 16 bytes or more)."""
    return secrets.token_bytes(32)


def creation_options(session: Session, member: Member, issuer: str, here: Here, challenge: bytes) -> dict[str, Any]:
    """PublicKeyCredentialCreationOptionsJSON. Raises `Problem("conflict")` for who has as many as one can."""
    import webauthn
    from webauthn.helpers import structs

    present = of(session, member)
    if len(present) >= MOST:
        raise Problem("conflict", "You have %(most)s passkeys. Remove one first.", values={"most": MOST})
    made = webauthn.generate_registration_options(
        rp_id=here.host,
        rp_name=issuer,
        user_id=_handle(member),
        user_name=str(member.email),
        user_display_name=member.name or str(member.email),
        challenge=challenge,
        timeout=int(LIFETIME.total_seconds() * 1000),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            structs.PublicKeyCredentialDescriptor(id=webauthn.base64url_to_bytes(each.credential_id))
            for each in present
            if each.host == here.host
        ],
    )
    return _json(webauthn.options_to_json(made))


def request_options(here: Here, challenge: bytes) -> dict[str, Any]:
    """PublicKeyCredentialRequestOptionsJSON. It names no credentials: the device knows which it has for this host."""
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    made = webauthn.generate_authentication_options(
        rp_id=here.host,
        challenge=challenge,
        timeout=int(LIFETIME.total_seconds() * 1000),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _json(webauthn.options_to_json(made))


def add(
    session: Session, member: Member, here: Here, challenge: bytes, given: str, *, now: datetime, name: str
) -> Passkey:
    """Keep what `navigator.credentials.create` gave (RegistrationResponseJSON). Raises `Problem` if it is not good."""
    import webauthn
    from webauthn.helpers import parse_registration_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        answer = parse_registration_credential_json(_read(given))
        _same_origin(answer.response.client_data_json)
        verified = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=here.host,
            expected_origin=here.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, *_BROKEN) as error:
        raise Problem("invalid", "This passkey could not be added. Please try again.") from error
    spend(session, member.tenant_id, challenge, now)
    passkey = Passkey(
        tenant_id=member.tenant_id,
        id=new_id(),
        member_id=member.id,
        host=here.host,
        name=name,
        credential_id=webauthn.helpers.bytes_to_base64url(verified.credential_id),
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        created_at=now,
    )
    session.add(passkey)
    try:
        session.flush()
    except IntegrityError:
        session.rollback()
        raise Problem("conflict", "This passkey is known here already.") from None
    return passkey


def signed_in(
    session: Session, tenant_id: str, here: Here, challenge: bytes, given: str, *, now: datetime
) -> tuple[Member, Passkey]:
    """Whose it is and which, for what `navigator.credentials.get` gave (AuthenticationResponseJSON).

    Raises `Problem("sign-in")` for everything that is not good, and `CounterWentBack`.
    """
    import webauthn
    from webauthn.helpers import parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        answer = parse_authentication_credential_json(_read(given))
        _same_origin(answer.response.client_data_json)
        passkey, member = _owned(session, here, answer.id)
        if answer.response.user_handle != _handle(member):
            raise ValueError("it names another member")
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=here.host,
            expected_origin=here.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # Compared below, where two who come at once take turns.
            require_user_verification=True,
        )
    except (WebAuthnException, *_BROKEN) as error:
        raise Problem("sign-in", REFUSED) from error
    spend(session, tenant_id, challenge, now)
    if not _count(session, passkey, verified.new_sign_count, now):
        raise CounterWentBack(passkey)
    return member, passkey


def spend(session: Session, tenant_id: str, challenge: bytes, now: datetime) -> None:
    """A challenge is good once. Raises `Problem("sign-in")` the second time; rolls back then."""
    session.execute(
        delete(SpentChallenge)
        .where(SpentChallenge.tenant_id == tenant_id, SpentChallenge.spent_at < now - 2 * LIFETIME)
        .execution_options(synchronize_session=False)
    )
    session.add(SpentChallenge(tenant_id=tenant_id, sha256=hashlib.sha256(challenge).hexdigest(), spent_at=now))
    try:
        session.flush()
    except IntegrityError:
        session.rollback()
        raise Problem("sign-in", REFUSED) from None


def of(session: Session, member: Member) -> Sequence[Passkey]:
    """The newest comes last."""
    return session.scalars(select(Passkey).where(Passkey.member_id == member.id).order_by(Passkey.id)).all()


def find(session: Session, member: Member, passkey_id: str) -> Passkey | None:
    passkey = session.get(Passkey, (member.tenant_id, passkey_id))
    return passkey if passkey is not None and passkey.member_id == member.id else None


def forget(session: Session, member: Member) -> int:
    """All of the member's are worthless from now on; how many there were."""
    present = of(session, member)
    for passkey in present:
        session.delete(passkey)
    return len(present)


def owner(session: Session, passkey: Passkey) -> Member:
    """There is one: a member who is removed takes their passkeys along."""
    return session.get_one(Member, (passkey.tenant_id, passkey.member_id))


def _owned(session: Session, here: Here, credential_id: str) -> tuple[Passkey, Member]:
    """Raises `ValueError` for one that is not known at this host."""
    passkey = session.scalar(select(Passkey).where(Passkey.credential_id == credential_id, Passkey.host == here.host))
    if passkey is None:
        raise ValueError("it is not known here")
    return passkey, owner(session, passkey)


def _count(session: Session, passkey: Passkey, count: int, now: datetime) -> bool:
    """Many devices count nothing and always say 0 (WebAuthn, 6.1.1)."""
    above = Passkey.sign_count < count if count else Passkey.sign_count == 0
    counted = session.execute(
        update(Passkey)
        .where(Passkey.tenant_id == passkey.tenant_id, Passkey.id == passkey.id, above)
        .values(sign_count=count, used_at=now)
        .execution_options(synchronize_session=False)
    )
    return bool(counted.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def _handle(member: Member) -> bytes:
    """The user handle: says nothing about the person (WebAuthn, 14.6.1)."""
    return hashlib.sha256(f"passkey:{member.tenant_id}:{member.id}".encode()).digest()


def _same_origin(client_data: bytes) -> None:
    """The dashboard is in nobody's frame; the library does not look at this. Raises `ValueError`."""
    told = json.loads(client_data)
    if not isinstance(told, dict) or told.get("crossOrigin"):
        raise ValueError("it was asked for from a frame of another site")


def _read(given: str) -> dict[str, Any]:
    if len(given) > MOST_CHARACTERS:
        raise ValueError("it is longer than any browser's")
    return _json(given)


def _json(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found
