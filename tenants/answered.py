"""What was answered to a request with an `Idempotency-Key`, so that sending it again does nothing twice.

The row is written in the transaction of the change: either both are there or neither, and there is no state between in
which a crash could leave a key without its answer. Of two requests with one key at the same moment the second waits for
the first one's transaction (a unique key on PostgreSQL, the one writer on SQLite), and then gets its answer. Only what
succeeded is kept: a refused request changed nothing and may be corrected under the same key.

Answers are sealed with the server's secret, since a share link's address and an upload ticket are among them.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Index, Integer, String, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import N_, Problem
from infra.sql import insert_into
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH
from tenants.sealing import Unreadable, seal, unseal

KEPT = timedelta(hours=24)
MAX_KEY = 255
_PURPOSE = "api answers"


class KeptAnswer(TenantOwned, Base):
    __tablename__ = "api_answers"
    __table_args__ = (Index("ix_api_answers_created", "tenant_id", "created_at"),)

    token_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    key: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    """Of method, path and body."""
    status: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]


def begin(session: Session, tenant_id: str, token_id: str, key: str, request: bytes, *, now: datetime) -> bool:
    """Take the key, within the current transaction. False if it was taken before: then `again` has the answer."""
    session.execute(
        delete(KeptAnswer)
        .where(KeptAnswer.tenant_id == tenant_id, KeptAnswer.created_at < now - KEPT)
        .execution_options(synchronize_session=False)
    )
    first = insert_into(session, KeptAnswer).values(
        tenant_id=tenant_id,
        token_id=token_id,
        key=key,
        request_sha256=hashlib.sha256(request).hexdigest(),
        status=0,
        sealed="",
        created_at=now,
    )
    return session.scalar(first.on_conflict_do_nothing().returning(KeptAnswer.key)) is not None


def keep(session: Session, tenant_id: str, token_id: str, key: str, answer: Answer, secret: str) -> None:
    """The answer to the key that this transaction has taken."""
    row = session.get_one(KeptAnswer, (tenant_id, token_id, key))
    row.status = answer.status
    row.sealed = seal(secret, _PURPOSE, json.dumps([answer.body, answer.headers]))


def again(session: Session, token_id: str, key: str, request: bytes, secret: str) -> Answer:
    """What was answered before. Raises `Problem("conflict")` if the key was for another request."""
    row = session.scalars(select(KeptAnswer).where(KeptAnswer.token_id == token_id, KeptAnswer.key == key)).one()
    if row.request_sha256 != hashlib.sha256(request).hexdigest():
        raise Problem("conflict", N_("This Idempotency-Key was used for another request. Send a new one."))
    try:
        body, headers = json.loads(unseal(secret, _PURPOSE, row.sealed))
    except Unreadable:
        raise Problem("conflict", N_("This was done before, and its answer can no longer be read.")) from None
    return Answer(row.status, body, headers)
