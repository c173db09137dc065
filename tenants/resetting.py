"""A way back for a member who forgot the password: an address that holds for an hour and works once.

Nothing is stored. The address is signed with the password's hash and the last sign-in in the salt, so a new password or
a sign-in by the old one ends it, and so does the end of the membership.
"""

from datetime import datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session

from tenants import sessions
from tenants.people import Member

LIFETIME = timedelta(hours=1)


def token(secret: str, member: Member, *, now: datetime) -> str:
    """For the letter to the member's address."""
    until = int((now + LIFETIME).timestamp())
    return str(_signer(secret, member).dumps([member.id, until]))


def find(session: Session, tenant_id: str, secret: str, given: str, *, now: datetime) -> Member | None:
    """The member whom the token lets in, of the tenant in scope; None for one that is over, used or made up."""
    _, unproved = URLSafeSerializer(secret).loads_unsafe(given)  # The salt is the member's, so who comes first.
    if not isinstance(unproved, list) or not unproved or not isinstance(unproved[0], str):
        return None
    member = session.get(Member, (tenant_id, unproved[0]))
    if member is None:
        return None
    try:
        _, until = _signer(secret, member).loads(given)
    except BadSignature:
        return None
    return member if now.timestamp() < until else None


def choose(session: Session, member: Member, password_hash: str) -> None:
    """Make it the member's password, and sign them out wherever they are signed in."""
    member.password_hash = password_hash
    sessions.end_all(session, member)


def _signer(secret: str, member: Member) -> URLSafeSerializer:
    last = member.signed_in_at.isoformat() if member.signed_in_at else ""
    return URLSafeSerializer(secret, salt=f"password:{member.tenant_id}:{member.password_hash}:{last}")
