"""What operators did: who, what, when, from where. Entries are only ever added, and outlive the tenant they tell of.

The serving role may not change or remove one (`infra/migrations/grants.py`), and triggers refuse it to everybody else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.db import Base
from tenants.names import ID_LENGTH, new_id


class OperatorEntry(Base):
    """Not tenant-owned: it belongs to the deployment."""

    __tablename__ = "operator_log"
    __table_args__ = (Index("ix_operator_log_tenant", "tenant", "id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(40))
    """What was done: `tenant.suspend`, `letter.discard`."""
    tenant: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """The id of the tenant that it was done to. No key: the tenant may be gone."""
    subject: Mapped[str] = mapped_column(String(200))
    """To what, in words that still say something when it is gone."""
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    once: Mapped[str | None] = mapped_column(String(64), unique=True)
    """What can be done once: the same again is an IntegrityError."""


@dataclass(frozen=True)
class Actor:
    """Who acts, and from where."""

    who: str
    address: str
    agent: str


def write(
    session: Session,
    actor: Actor,
    action: str,
    *,
    now: datetime,
    tenant: str | None = None,
    subject: str = "",
    once: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Within the current transaction, so that nothing is done without its entry. Flushes."""
    session.add(
        OperatorEntry(
            id=new_id(),
            at=now,
            who=actor.who[:80],
            address=actor.address[:45],
            agent=actor.agent[:200],
            action=action,
            tenant=tenant,
            subject=subject[:200],
            detail=dict(detail or {}),
            once=once,
        )
    )
    session.flush()


def latest(
    session: Session, limit: int, *, tenant: str = "", before: str = "", query: str = ""
) -> Sequence[OperatorEntry]:
    """The newest first; of one tenant, older than the entry `before`, with `query` in its action, subject or name."""
    wanted = select(OperatorEntry).order_by(OperatorEntry.id.desc()).limit(limit)
    if tenant:
        wanted = wanted.where(OperatorEntry.tenant == tenant)
    if before:
        wanted = wanted.where(OperatorEntry.id < before)
    if query:
        columns = (OperatorEntry.action, OperatorEntry.subject, OperatorEntry.who)
        matches = columns[0].icontains(query, autoescape=True)
        for column in columns[1:]:
            matches = matches | column.icontains(query, autoescape=True)
        wanted = wanted.where(matches)
    return session.scalars(wanted).all()
