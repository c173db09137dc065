"""Where members are signed in: a row for each browser, so that a member sees them and ends one or all.

The cookie names its row. A cookie from before there were rows names none: it lasts until the member signs out
everywhere, which changes what every cookie of theirs is compared with (`people.Member.session_key`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Index, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants import people
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, new_id
from tenants.people import Member

FORGOTTEN_AFTER = timedelta(days=30)
"""Without a sign of life; as long as the cookie lasts (`webapp/auth.py`)."""
SEEN_EVERY = timedelta(minutes=10)
"""How exactly it is known when a browser was last here: more often would write for every page."""


class MemberSession(TenantOwned, Base):
    __tablename__ = "member_sessions"
    __table_args__ = (belongs_to("members", "member_id"), Index("ix_member_sessions_member", "tenant_id", "member_id"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    agent: Mapped[str] = mapped_column(String(300), default="")
    """The browser's User-Agent."""
    address: Mapped[str] = mapped_column(String(45), default="")
    """Where it signed in from."""


def begin(session: Session, member: Member, *, now: datetime, agent: str, address: str) -> MemberSession:
    """Rows of the member's that nobody uses any more go on this occasion."""
    session.execute(
        delete(MemberSession)
        .where(
            MemberSession.tenant_id == member.tenant_id,
            MemberSession.member_id == member.id,
            MemberSession.seen_at < now - FORGOTTEN_AFTER,
        )
        .execution_options(synchronize_session=False)
    )
    made = MemberSession(
        tenant_id=member.tenant_id,
        id=new_id(),
        member_id=member.id,
        created_at=now,
        seen_at=now,
        agent=agent[:300],
        address=address[:45],
    )
    session.add(made)
    session.flush()
    return made


def find(session: Session, tenant_id: str, session_id: str) -> MemberSession | None:
    return session.get(MemberSession, (tenant_id, session_id))


def of(session: Session, member: Member, *, now: datetime) -> Sequence[MemberSession]:
    """The one that was used last comes first."""
    return session.scalars(
        select(MemberSession)
        .where(MemberSession.member_id == member.id, MemberSession.seen_at >= now - FORGOTTEN_AFTER)
        .order_by(MemberSession.seen_at.desc(), MemberSession.id.desc())
    ).all()


def is_due(kept: MemberSession, now: datetime) -> bool:
    return now - kept.seen_at >= SEEN_EVERY


def seen(session: Session, tenant_id: str, session_id: str, now: datetime) -> None:
    session.execute(
        update(MemberSession)
        .where(MemberSession.tenant_id == tenant_id, MemberSession.id == session_id)
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )


def end(session: Session, member: Member, session_id: str) -> bool:
    """Sign one browser out; False if the member has no such session."""
    gone = session.execute(
        delete(MemberSession)
        .where(
            MemberSession.tenant_id == member.tenant_id,
            MemberSession.member_id == member.id,
            MemberSession.id == session_id,
        )
        .execution_options(synchronize_session=False)
    )
    return bool(gone.rowcount)  # type: ignore[attr-defined]  # a DELETE's result is a CursorResult


def end_all(session: Session, member: Member) -> None:
    """Sign the member out everywhere, here too."""
    people.end_sessions(member)
    session.execute(
        delete(MemberSession)
        .where(MemberSession.tenant_id == member.tenant_id, MemberSession.member_id == member.id)
        .execution_options(synchronize_session=False)
    )
