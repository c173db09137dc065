"""The ledger: what each tenant used in each hour, append-only and hash-chained per tenant.

A row is one revision of one window (an hour, UTC) of one dimension. `quantity` is the window's whole as of that
revision, `delta` what it adds to the revision before: the first revision's delta is its quantity, a correction's is the
difference, and the deltas of a window always add up to its newest quantity. Hours without use have no rows.

`sha256` covers every other column and the hash of the tenant's row before, and the head keeps the newest, so a row that
was changed, removed or added by hand is found and named (`billing/audit.py`).
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tenants.db import Base, TenantOwned
from tenants.usage import Meter

WINDOW = timedelta(hours=1)
GENESIS = "0" * 64
CHAIN = "usage"


class LedgerRow(TenantOwned, Base):
    __tablename__ = "ledger"
    __table_args__ = (
        Index("uq_ledger_tenant_id_meter", "tenant_id", "meter", "window", "revision", unique=True),
        Index("ix_ledger_window", "tenant_id", "window", "meter"),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """The row's place in the tenant's chain, from 1 and without gaps."""
    window: Mapped[datetime]
    """The hour's start."""
    meter: Mapped[str] = mapped_column(String(24))
    """A `Dimension`'s value. Text, so that a row of a dimension that is no more can still be verified."""
    revision: Mapped[int] = mapped_column(Integer)
    """1 when the window is closed; each correction is one more."""
    quantity: Mapped[int] = mapped_column(BigInteger)
    delta: Mapped[int] = mapped_column(BigInteger)
    closed_at: Mapped[datetime]
    previous: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))


class LedgerHead(TenantOwned, Base):
    """Where a tenant's chain and its metering stand. Whoever appends holds this row's lock."""

    __tablename__ = "ledger_heads"
    __table_args__ = (Index("ix_ledger_heads_due", "closed_until"),)

    chain: Mapped[str] = mapped_column(String(8), primary_key=True, default=CHAIN)
    number: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(String(64), default=GENESIS)
    closed_until: Mapped[datetime]
    """Every window that ends by then is closed."""
    level: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes of originals at `closed_until`."""
    rendition_level: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Bytes of renditions at `closed_until`."""
    looked_until: Mapped[datetime]
    """By the database's clock: no event that was recorded before can still turn up."""
    waits_for: Mapped[str] = mapped_column(Text, default="")
    """Why the next window is not closed though it is due; empty when nothing is wrong."""
    rendition_edition: Mapped[int] = mapped_column(BigInteger, default=-1, server_default="-1")
    """The tenant's edition when its renditions were last compared with what was told of them (`billing/renditions.py`);
    -1: never."""
    rendition_looked_at: Mapped[datetime | None]
    """When that was."""

    @property
    def levels(self) -> dict[Meter, int]:
        return levels_of(self)


def levels_of(head: Any) -> dict[Meter, int]:
    """Of a head, or of a row of its columns."""
    return {Meter.STORED: head.level, Meter.RENDERED: head.rendition_level}


class MeterRow(TenantOwned, Base):
    """A meter event on its way out: one for each ledger row, written in the same transaction."""

    __tablename__ = "meter_events"
    __table_args__ = (Index("ix_meter_events_state", "state", "window"),)

    identifier: Mapped[str] = mapped_column(String(100), primary_key=True)
    meter: Mapped[str] = mapped_column(String(24))
    window: Mapped[datetime]
    revision: Mapped[int] = mapped_column(Integer)
    value: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(8))
    """`waiting`, `claimed` or `again` (may have been sent: `billing/outgoing.py`), `sent`, `refused` or `doubtful`."""
    claimed_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    why: Mapped[str] = mapped_column(String(200), default="")


@dataclass(frozen=True)
class MeterEvent:
    """What a sink is told: `value` (may be negative: a correction) of `meter` in the smallest unit of its dimension.

    `identifier` is `tenant:meter:window:revision` and never names anything else; `timestamp` lies in the window.
    """

    identifier: str
    tenant_id: str
    meter: str
    value: int
    timestamp: datetime


class Refused(Exception):
    """The sink will never take this event (too old, say). It is kept, marked and shown; nothing is lost."""


class MeterSink(Protocol):
    """Where meter events go: Stripe, or nowhere but the ledger."""

    def send(self, event: MeterEvent) -> None:
        """Returns once the event is accepted. Called again with the same identifier, within a day, it counts once.

        Raises `Refused` for an event that will never be accepted, anything else for one to be tried again.
        """


class LedgerOnly:
    """Without Stripe: an event is sent when it is in the ledger."""

    def send(self, event: MeterEvent) -> None:
        pass


def hour_of(at: datetime) -> datetime:
    """The start of the hour (UTC): the window that `at` lies in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def identifier(tenant_id: str, meter: str, window: datetime, revision: int) -> str:
    """`tenant:meter:window:revision`, the window as `2026-02-28T23`; at most 76 characters (Stripe takes 100)."""
    return f"{tenant_id}:{meter}:{window:%Y-%m-%dT%H}:{revision}"


def seal(
    previous: str,
    tenant_id: str,
    number: int,
    window: datetime,
    meter: str,
    revision: int,
    quantity: int,
    delta: int,
    closed_at: datetime,
) -> str:
    """The row's SHA-256 (hex): over its columns as text, one a line, after the hash of the row before."""
    fields = (previous, tenant_id, number, f"{window:%Y-%m-%dT%H}", meter, revision, quantity, delta)
    return hashlib.sha256("\n".join((*map(str, fields), closed_at.isoformat())).encode()).hexdigest()
