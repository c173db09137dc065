"""Support access: a tenant lets the operator's people into its dashboard, for a time, and sees what they did there.

The grant says as what: a viewer looks, an editor also changes albums. Never more, since who may manage members could
stay for longer than they were let in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_login import UserMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy_utils import ChoiceType, EmailType

from infra.errors import Problem
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, is_id, new_id
from tenants.people import Role

HOURS = (1, 24, 72)
ROLES = (Role.VIEWER, Role.EDITOR)
PASS_SECONDS = 60
"""Between the operator's console and the tenant's dashboard."""
PREFIX = "support"


class SupportGrant(TenantOwned, Base):
    __tablename__ = "support_grants"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    role: Mapped[Role] = mapped_column(ChoiceType(Role, impl=String(8)))
    granted_by: Mapped[str] = mapped_column(EmailType(length=254))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at


class SupportAct(TenantOwned, Base):
    """A page that somebody of the operator's opened, or something that they changed. Only ever added."""

    __tablename__ = "support_acts"
    __table_args__ = (
        belongs_to("support_grants", "grant_id"),
        Index("ix_support_acts_grant", "tenant_id", "grant_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    grant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(String(300))


@dataclass(frozen=True)
class Pass:
    """What opens the dashboard once. `nonce` becomes the id of the first act."""

    tenant: str
    grant: str
    who: str
    nonce: str


class Supporter(UserMixin):
    """flask-login's user while somebody of the operator's is in: no member, and of no account."""

    is_supporter = True
    name = ""
    email = "support"
    totp_sealed = None

    def __init__(self, grant: SupportGrant, who: str) -> None:
        self.tenant_id = grant.tenant_id
        self.id = grant.id
        self.role = grant.role
        self.until = grant.expires_at
        self.who = who

    def get_id(self) -> str:
        return f"{PREFIX}:{self.tenant_id}:{self.id}:{self.who}"


def grant(session: Session, tenant_id: str, role: Role, hours: int, member: str, *, now: datetime) -> SupportGrant:
    """Within the current transaction; what was granted before ends. Raises `Problem` for another role or time."""
    if role not in ROLES or hours not in HOURS:
        raise Problem("invalid", "Support may look, or look and change albums, for 1, 24 or 72 hours.")
    end_all(session, now)
    made = SupportGrant(
        tenant_id=tenant_id,
        id=new_id(),
        role=role,
        granted_by=member,
        created_at=now,
        expires_at=now + timedelta(hours=hours),
    )
    session.add(made)
    session.flush()
    return made


def live(session: Session, now: datetime) -> SupportGrant | None:
    """The session's tenant's grant that is good now."""
    return session.scalar(
        select(SupportGrant)
        .where(SupportGrant.ended_at.is_(None), SupportGrant.expires_at > now)
        .order_by(SupportGrant.id.desc())
        .limit(1)
    )


def end_all(session: Session, now: datetime) -> None:
    for found in session.scalars(
        select(SupportGrant).where(SupportGrant.ended_at.is_(None), SupportGrant.expires_at > now)
    ):
        found.ended_at = now
    session.flush()


def mint(secret: str, found: SupportGrant, who: str) -> str:
    return str(_signer(secret).dumps([found.tenant_id, found.id, who, new_id()]))


def read(secret: str, given: str, tenant_id: str) -> Pass | None:
    """None for one that is over, another tenant's, or that nobody has signed."""
    try:
        tenant, grant_id, who, nonce = _signer(secret).loads(given, max_age=PASS_SECONDS)
    except (BadSignature, TypeError, ValueError):
        return None
    return Pass(tenant, grant_id, who, nonce) if tenant == tenant_id else None


def find(session: Session, tenant_id: str, grant_id: str, now: datetime) -> SupportGrant | None:
    """A grant that is good now."""
    found = session.get(SupportGrant, (tenant_id, grant_id)) if is_id(grant_id) else None
    return found if found is not None and found.is_live(now) else None


def load(session: Session, session_id: str, tenant_id: str, now: datetime) -> Supporter | None:
    """The user behind flask-login's session id, if it is one of this tenant's grants and still good."""
    prefix, owner, grant_id, who = session_id.split(":", 3)
    if prefix != PREFIX or owner != tenant_id:
        return None
    found = find(session, tenant_id, grant_id, now)
    return Supporter(found, who) if found is not None else None


def note(
    session: Session, tenant_id: str, grant_id: str, who: str, method: str, path: str, *, now: datetime, act: str = ""
) -> None:
    """Within the current transaction. The same `act` again is an IntegrityError."""
    session.add(
        SupportAct(
            tenant_id=tenant_id,
            id=act or new_id(),
            grant_id=grant_id,
            at=now,
            who=who[:80],
            method=method,
            path=path[:300],
        )
    )
    session.flush()


def grants(session: Session, limit: int) -> Sequence[SupportGrant]:
    """Of the session's tenant, the newest first."""
    return session.scalars(select(SupportGrant).order_by(SupportGrant.id.desc()).limit(limit)).all()


def acts(session: Session, limit: int) -> Sequence[SupportAct]:
    """Of the session's tenant, the newest first."""
    return session.scalars(select(SupportAct).order_by(SupportAct.id.desc()).limit(limit)).all()


def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="support")
