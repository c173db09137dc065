"""Tokens with which a tenant's own programs use the API: shown once, kept as a hash, limited to scopes.

A token is `key_<name>_<secret>`. The name is public, shown in lists, and finds the row; the secret has 256 random bits,
so its SHA-256 is all that needs keeping (a slow hash protects guessable secrets, and this one is not). It opens
nothing on another tenant's host: rows are looked up within the tenant of the host that was asked.
"""

import enum
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import JSON, String, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import N_, Problem
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id

MARK = "key"
MOST_TOKENS = 50
MAX_NAME = 80
USED_SECONDS = 60
"""How exactly `last_used_at` is kept: a write for each request would make reading as dear as writing."""
_SHAPE = re.compile(r"key_([a-z2-7]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


class Scope(enum.Enum):
    """What a token may do. Writing albums includes nothing of shares or uploads, and no scope includes another."""

    ALBUMS_READ = "albums:read"
    ALBUMS_WRITE = "albums:write"
    SHARES_READ = "shares:read"
    SHARES_WRITE = "shares:write"
    UPLOADS_WRITE = "uploads:write"
    USAGE_READ = "usage:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"


class ApiToken(TenantOwned, Base):
    __tablename__ = "api_tokens"
    __table_args__ = (UniqueConstraint("tenant_id", "prefix"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    """What its owner calls it."""
    prefix: Mapped[str] = mapped_column(String(16))
    """`key_` and ten characters: what the token begins with."""
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    made_by: Mapped[str] = mapped_column(String(254))
    """The address of the member who made it, as it was then."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True)
class Bearer:
    """A live token, as a request holds it."""

    id: str
    prefix: str
    scopes: frozenset[Scope]
    last_used_at: datetime | None


def create(
    session: Session,
    tenant_id: str,
    name: str,
    scopes: Collection[Scope],
    *,
    made_by: str,
    now: datetime,
    lifetime: timedelta | None = None,
) -> tuple[ApiToken, str]:
    """The token's row, and the token itself, which nothing brings back. Raises `Problem` for what cannot be."""
    if not name.strip():
        raise Problem("invalid", N_("A token needs a name."), field="name")
    if not scopes:
        raise Problem("invalid", N_("A token needs at least one scope."), field="scopes")
    if len(living(session, now)) >= MOST_TOKENS:
        raise Problem("conflict", N_("There are %(most)d tokens. Revoke one first."), values={"most": MOST_TOKENS})
    prefix = f"{MARK}_{''.join(secrets.choice(_ALPHABET) for _ in range(10))}"
    secret = secrets.token_urlsafe(32)
    token = ApiToken(
        tenant_id=tenant_id,
        id=new_id(),
        name=name.strip()[:MAX_NAME],
        prefix=prefix,
        secret_sha256=_hash(secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        made_by=made_by,
        created_at=now,
        expires_at=now + lifetime if lifetime else None,
    )
    session.add(token)
    session.flush()
    return token, f"{prefix}_{secret}"


def find(session: Session, given: str, now: datetime) -> Bearer | None:
    """The live token of the tenant in scope, or None: whether it is wrong, foreign, revoked or over is not told."""
    shape = _SHAPE.fullmatch(given)
    if shape is None:
        return None
    token = session.scalar(select(ApiToken).where(ApiToken.prefix == f"{MARK}_{shape[1]}"))
    if token is None or not hmac.compare_digest(token.secret_sha256, _hash(shape[2])) or not token.is_live(now):
        return None
    known = {scope.value for scope in Scope}
    return Bearer(token.id, token.prefix, frozenset(Scope(s) for s in token.scopes if s in known), token.last_used_at)


def living(session: Session, now: datetime) -> list[ApiToken]:
    """The newest first; those that have run out are listed for a month, the revoked ones no more."""
    shown = (ApiToken.expires_at.is_(None)) | (ApiToken.expires_at > now - timedelta(days=30))
    return list(
        session.scalars(select(ApiToken).where(ApiToken.revoked_at.is_(None), shown).order_by(ApiToken.id.desc()))
    )


def needs_note(bearer: Bearer, now: datetime) -> bool:
    """Whether `note_use` has something to write."""
    return bearer.last_used_at is None or now - bearer.last_used_at >= timedelta(seconds=USED_SECONDS)


def note_use(session: Session, tenant_id: str, bearer: Bearer, now: datetime) -> None:
    session.execute(
        update(ApiToken)
        .where(ApiToken.tenant_id == tenant_id, ApiToken.id == bearer.id)
        .values(last_used_at=now)
        .execution_options(synchronize_session=False)
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
