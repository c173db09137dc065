"""How a session becomes somebody's, in one step or two, and nobody's again."""

from datetime import timedelta

from flask import g, request, session
from flask_limiter.util import get_remote_address
from flask_login import current_user, login_user, logout_user

from tenants import passkeys, people, sessions
from tenants.people import Member
from tenants.support import Supporter

HALF_WAY = timedelta(minutes=10)
"""Between the password and the second factor's code."""


def sign_in(member: Member) -> None:
    """Start a member's session, and commit. What an earlier session held, its CSRF token included, does not survive."""
    about = {"agent": request.user_agent.string, "address": get_remote_address()}
    kept = sessions.begin(g.site.session, member, now=g.site.now(), **about).id
    g.site.session.commit()
    _afresh(member.tenant_id)
    session["sid"] = kept
    session.permanent = True
    login_user(member)


def let_in(supporter: Supporter) -> None:
    """Start the session of somebody of the operator's, for as long as their grant is good."""
    _afresh(supporter.tenant_id)
    login_user(supporter)


def is_supporter() -> bool:
    """Whether it is somebody of the operator's who is signed in, not a member."""
    return getattr(current_user, "is_supporter", False)


def begin_half(member: Member) -> None:
    """The password was right; the session is nobody's until the second factor is."""
    _afresh(member.tenant_id)
    session["half"] = [member.id, int((g.site.now() + HALF_WAY).timestamp())]


def half() -> str:
    """The id of the member whose password this session gave; empty for none, or too long ago."""
    member_id, until = session.get("half", ["", 0])
    return str(member_id) if g.site.now().timestamp() < until else ""


def challenge(member_id: str = "") -> bytes:
    """What a passkey is to sign for this session: to sign in, or to be added by that member.

    One that has most of its time left is given again, so that two tabs of a browser do not spoil each other's.
    """
    kept, until, whose = session.get("challenge", ["", 0, ""])
    now = g.site.now()
    if kept and whose == member_id and until > (now + passkeys.LIFETIME * 0.8).timestamp():
        return bytes.fromhex(kept)
    made = passkeys.new_challenge()
    session["challenge"] = [made.hex(), int((now + passkeys.LIFETIME).timestamp()), member_id]
    return made


def take_challenge(member_id: str = "") -> bytes | None:
    """The one that was given for this; None if there is none, or it is too old. It is good for one answer."""
    kept, until, whose = session.pop("challenge", ["", 0, ""])
    good = kept and whose == member_id and g.site.now().timestamp() < until
    return bytes.fromhex(kept) if good else None


def _afresh(tenant_id: str) -> None:
    shares = session.get("shares")
    session.clear()
    session["tenant"] = tenant_id
    if shares:
        session["shares"] = shares
    g.pop("viewer", None)
    g.pop("passes", None)


def sign_out() -> None:
    """Commits."""
    if current_user.is_authenticated and "sid" in session:
        sessions.end(g.site.session, current_user, session["sid"])
        g.site.session.commit()
    logout_user()
    session.clear()
    g.pop("viewer", None)
    g.pop("passes", None)


def knows_password(given: str) -> bool:
    """Whether it is the signed-in member's. Ends the transaction: checking takes long on purpose, and not while holding
    SQLite's write lock."""
    stored = current_user.password_hash
    g.site.session.rollback()
    return people.verify_password(stored, given)
