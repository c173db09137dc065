"""Messages that must be sent if, and only if, a transaction commits.

A row is written in the transaction that causes it; `uploader/relay.py` sends and then removes it. A crash between the
two sends it twice, which every receiver survives.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH, new_id


class Outbox(TenantOwned, Base):
    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_order", "id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]


def media_job(tenant_id: str, asset_id: str) -> dict[str, str]:
    """The body of the message that has an asset processed. Receivers must tolerate fields that they do not know.

    Others that may be there: `trace`, the id of the request behind it, and `why`, if it is not an upload.
    """
    return {"kind": "media", "tenant": tenant_id, "asset": asset_id}


def add(session: Session, tenant_id: str, body: dict[str, Any], *, now: datetime) -> None:
    """Have `body` sent after the current transaction commits."""
    session.add(Outbox(tenant_id=tenant_id, id=new_id(), body=body, created_at=now))


def copy_job(tenant_id: str, asset_id: str, *, source_id: str, sha256: str) -> dict[str, str]:
    """Instead of `media_job` for a copy: the relay's fleet copies the original first (`uploader/placing.py`)."""
    return {**media_job(tenant_id, asset_id), "from": source_id, "sha256": sha256}


def replacement(tenant_id: str, album_id: str, asset_id: str, *, source_id: str) -> dict[str, str]:
    """Have the file of `source_id` put in the place of that of `asset_id`, both of the album; as `copy_job`."""
    return {"kind": "replace", "tenant": tenant_id, "album": album_id, "asset": asset_id, "from": source_id}


def pending(session: Session, limit: int = 100, *, hold: bool = False, placing: bool = False) -> list[Outbox]:
    """Oldest first, across tenants: what can be sent, or with `placing` what wants an original copied before.

    With `hold` the rows are the transaction's until it ends, and rows that another holds are left out (PostgreSQL).
    """
    source = Outbox.body["from"].as_string()
    chosen = source.is_not(None) if placing else source.is_(None)
    rows = select(Outbox).where(chosen).order_by(Outbox.id).limit(limit)
    return list(session.scalars(rows.with_for_update(skip_locked=True) if hold else rows))
