"""Members of a tenant, their roles and passwords.

A member belongs to one tenant: the same address may be a member of two tenants, with two passwords. That is what
white-label means to the people who sign in, and it leaves nothing to share between tenants.
"""

import enum
import secrets
from base64 import b64encode
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from email_validator import EmailNotValidError, validate_email
from flask_login import UserMixin
from sqlalchemy import BigInteger, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType, EmailType

from infra.errors import Problem
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id

MIN_PASSWORD = 10
_hasher = PasswordHasher()  # argon2id with the library's current defaults (RFC 9106, low-memory profile)


def _random_hash(hasher: PasswordHasher) -> str:
    """What no password is known for. To check one against it takes as long as for a real hash; to make it, no time at
    all: a real one took a tenth of a second of every process's start."""
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    parts = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len))
    return "$".join(("", f"argon2{hasher.type.name.lower()}", f"v={ARGON2_VERSION}", costs, *parts))


_nobody = _random_hash(_hasher)


class Role(enum.Enum):
    """What a member may do, in falling order; `at_least` compares."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"

    def at_least(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) <= order.index(other)


class Member(UserMixin, TenantOwned, Base):
    """Implements flask-login's user. `session_key` changes when every session of the member must end."""

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("tenant_id", "email"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    email: Mapped[str] = mapped_column(EmailType(length=254))
    name: Mapped[str] = mapped_column(String(120), default="")
    role: Mapped[Role] = mapped_column(ChoiceType(Role, impl=String(8)))
    password_hash: Mapped[str] = mapped_column(String(200))
    session_key: Mapped[str] = mapped_column(String(32), default=lambda: secrets.token_hex(16))
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]
    totp_sealed: Mapped[str | None] = mapped_column(Text)
    """The secret of the app that makes the second factor's codes (`tenants/two_factor.py`); None: there is none."""
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    """The time step of the last code that was good."""

    def get_id(self) -> str:
        """What flask-login keeps in the session: it names the tenant, so it is nobody's on another host."""
        return f"{self.tenant_id}:{self.id}:{self.session_key}"


def hash_password(password: str, *, least: int = MIN_PASSWORD) -> str:
    """Argon2id. Raises `Problem` for one that is too short or absurdly long."""
    if not least <= len(password) <= 1024:
        raise Problem("invalid", "A password needs at least %(least)s characters.", values={"least": least})
    return _hasher.hash(password)


def verify_password(stored: str | None, given: str) -> bool:
    """Takes the same time whether there is a stored hash or not, so that it does not tell who is a member."""
    try:
        return _hasher.verify(stored or _nobody, given) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def add(
    session: Session, tenant_id: str, email: str, role: Role, password: str, *, now: datetime, name: str = ""
) -> Member:
    """Raises `Problem` for a malformed or taken address, or a weak password."""
    return add_hashed(session, tenant_id, email, role, hash_password(password), now=now, name=name)


def add_hashed(
    session: Session, tenant_id: str, email: str, role: Role, password_hash: str, *, now: datetime, name: str = ""
) -> Member:
    """`add` for who hashes first: that takes long on purpose. Raises `Problem` for a malformed or taken address."""
    address = normal_address(email)
    if by_email(session, address) is not None:
        raise Problem("conflict", "%(address)s is already a member.", values={"address": address})
    member = Member(
        tenant_id=tenant_id,
        id=new_id(),
        email=address,
        name=name.strip(),
        role=role,
        password_hash=password_hash,
        created_at=now,
    )
    session.add(member)
    session.flush()
    return member


def normal_address(email: str) -> str:
    """As members' addresses are kept and compared. Raises `Problem` for what is none."""
    try:
        return validate_email(email.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise Problem(
            "invalid",
            "“%(email)s” is not an e-mail address: %(why)s",
            values={"email": email, "why": error},
            field="email",
        ) from None


def by_email(session: Session, email: str) -> Member | None:
    return session.scalar(select(Member).where(Member.email == email.strip().lower()))


def authenticate(session: Session, email: str, password: str, *, now: datetime) -> Member | None:
    """The member if address and password fit, else None."""
    member = by_email(session, email)
    if not verify_password(member.password_hash if member else None, password) or member is None:
        return None
    if _hasher.check_needs_rehash(member.password_hash):
        member.password_hash = _hasher.hash(password)
    member.signed_in_at = now
    return member


def load(session: Session, session_id: str, tenant_id: str) -> Member | None:
    """The member behind flask-login's session id, if it is one of this tenant and still valid."""
    owner, _, rest = session_id.partition(":")
    member_id, _, key = rest.partition(":")
    if owner != tenant_id:
        return None
    member = session.get(Member, (tenant_id, member_id))
    return member if member is not None and secrets.compare_digest(member.session_key, key) else None


def end_sessions(member: Member) -> None:
    """Sign the member out everywhere."""
    member.session_key = secrets.token_hex(16)


def change_role(session: Session, member: Member, role: Role) -> None:
    """Raises `Problem("conflict")` if it would leave the tenant without an owner."""
    if role is not Role.OWNER:
        _spare(session, member)
    member.role = role


def remove(session: Session, member: Member) -> None:
    """The member and their sessions are gone. Raises `Problem("conflict")` for the last owner."""
    _spare(session, member)
    session.delete(member)


def _spare(session: Session, member: Member) -> None:
    if member.role is not Role.OWNER:
        return
    # Locked on PostgreSQL, so that two owners who demote each other at once take turns.
    owners = session.scalars(select(Member).where(Member.role == Role.OWNER).order_by(Member.id).with_for_update())
    if [owner.id for owner in owners] == [member.id]:
        raise Problem("conflict", "This is the last owner. Make someone else an owner first.")
