"""Invitations: whoever has the letter becomes a member, with a password that nobody else ever knew.

An address has one invitation at a time; inviting again makes the letter before worthless.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import String, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType, EmailType

from infra.errors import Problem
from tenants import people
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id
from tenants.people import Member, Role

LIFETIME = timedelta(days=7)
MOST = 50
"""That wait at once, of one tenant: what a stolen account can make this deployment send."""


class Invitation(TenantOwned, Base):
    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("tenant_id", "email"), UniqueConstraint("tenant_id", "sha256"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    email: Mapped[str] = mapped_column(EmailType(length=254))
    role: Mapped[Role] = mapped_column(ChoiceType(Role, impl=String(8)))
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the token: whoever reads the table can accept none."""
    inviter: Mapped[str] = mapped_column(EmailType(length=254))
    """Whose word it is: it ends with their membership."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    mailed_at: Mapped[datetime | None]
    """When the letter was taken; None: hand the address over by other means."""

    def is_live(self, now: datetime) -> bool:
        return now < self.expires_at


def invite(
    session: Session, tenant_id: str, email: str, role: Role, inviter: str, *, now: datetime
) -> tuple[Invitation, str]:
    """The invitation and its token, which nobody can be told again.

    Raises `Problem` for a malformed address, one of a member, or too many invitations.
    """
    address = people.normal_address(email)
    if people.by_email(session, address) is not None:
        raise Problem("conflict", "%(address)s is already a member.", values={"address": address}, field="email")
    made = session.scalar(select(Invitation).where(Invitation.email == address))
    if made is None:
        _spare(session, tenant_id, now)
        made = Invitation(tenant_id=tenant_id, id=new_id(), email=address)
        session.add(made)
    token = secrets.token_urlsafe(24)
    made.role, made.inviter, made.sha256 = role, inviter, _digest(token)
    made.created_at, made.expires_at, made.mailed_at = now, now + LIFETIME, None
    session.flush()
    return made, token


def _spare(session: Session, tenant_id: str, now: datetime) -> None:
    """Room for one more. Those that are over go on this occasion."""
    session.execute(
        delete(Invitation)
        .where(Invitation.tenant_id == tenant_id, Invitation.expires_at <= now)
        .execution_options(synchronize_session=False)
    )
    if (session.scalar(select(func.count()).select_from(Invitation)) or 0) >= MOST:
        raise Problem(
            "conflict", "%(most)s invitations are waiting. Withdraw one first.", values={"most": MOST}, field="email"
        )


def waiting(session: Session) -> Sequence[Invitation]:
    """The newest first, those that are over among them."""
    return session.scalars(select(Invitation).order_by(Invitation.created_at.desc(), Invitation.id.desc())).all()


def find(session: Session, token: str, *, now: datetime) -> Invitation | None:
    """The invitation that the token accepts; None for one that is over, withdrawn or accepted."""
    found = session.scalar(select(Invitation).where(Invitation.sha256 == _digest(token)))
    return found if found is not None and found.is_live(now) else None


def accept(session: Session, invitation: Invitation, name: str, password_hash: str, *, now: datetime) -> Member:
    """The new member. Raises `Problem` if somebody with that address became one in the meantime."""
    member = people.add_hashed(
        session, invitation.tenant_id, str(invitation.email), invitation.role, password_hash, now=now, name=name
    )
    session.delete(invitation)
    session.flush()
    return member


def withdraw_of(session: Session, tenant_id: str, inviter: str) -> None:
    """What a member has promised ends when they are none any more."""
    session.execute(
        delete(Invitation)
        .where(Invitation.tenant_id == tenant_id, Invitation.inviter == inviter)
        .execution_options(synchronize_session=False)
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
