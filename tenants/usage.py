"""The append-only record of what a tenant used. Billing reads it; nothing changes it.

Each event that is new is also put to the metrics as `usage.<meter>` with its tenant and its time, once its transaction
has committed. A process that dies between the two loses the metric and not the event: the events are the truth.

What is billed is an event's `amount`: a whole number of bytes, milliseconds or things.
"""

import enum
from datetime import datetime

from sqlalchemy import BigInteger, Index, Numeric, String, event, func, select
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.ports import Metrics
from infra.sql import insert_into
from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH


class Meter(enum.Enum):
    """What is counted, with its unit in the value."""

    UPLOADED = "upload.bytes"
    PHOTOS = "photo.count"
    VIDEO_IN = "video_in.seconds"
    VIDEO_OUT = "video_out.seconds"
    STORED = "stored.bytes"
    """Change of what originals take: negative when one is removed."""
    RENDERED = "rendered.bytes"
    """Change of what an asset's renditions take, of all generations that are there: negative when some are removed."""
    DELIVERED = "delivered.bytes"
    """What downloads and, where the app itself delivers, pictures and videos sent."""
    EMBED_VIEWS = "embed.views"
    """Times that a frame of an embedding was opened on another site."""

    __hash__ = object.__hash__  # Members are singletons; Enum's own hash is Python code, and millions are asked for.

    @property
    def per_unit(self) -> int:
        """How many of the smallest unit make one of the meter's: a second is 1,000 milliseconds."""
        return PER_UNIT[self]


PER_UNIT = {meter: 1000 if meter.value.endswith(".seconds") else 1 for meter in Meter}


class UsageEvent(TenantOwned, Base):
    """`id` is made from what happened (`upload:<asset>`), so that recording the same event twice counts it once."""

    __tablename__ = "usage_events"
    __table_args__ = (
        Index("ix_usage_events_window", "tenant_id", "meter", "at"),
        Index("ix_usage_events_at", "at"),
        Index("ix_usage_events_recorded", "recorded_at"),
    )

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    meter: Mapped[Meter] = mapped_column(ChoiceType(Meter, impl=String(24)))
    quantity: Mapped[float] = mapped_column(Numeric(20, 6, asdecimal=False))
    album_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    asset_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime]
    """When it happened, by the clock of whoever recorded it."""
    amount: Mapped[int | None] = mapped_column(BigInteger)
    """In the smallest unit (`Meter.per_unit`). None in events of a release before migration 0030."""
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it arrived here, by the database's clock: how late events are found."""


def record(
    session: Session,
    tenant_id: str,
    event_id: str,
    meter: Meter,
    quantity: float,
    *,
    at: datetime,
    album_id: str | None = None,
    asset_id: str | None = None,
) -> bool:
    """Add one event within the current transaction; False if it was recorded before.

    Raises `ValueError` for a fraction of a byte or of a thing.
    """
    statement = insert_into(session, UsageEvent).values(
        tenant_id=tenant_id,
        id=event_id,
        meter=meter,
        quantity=quantity,
        amount=smallest(meter, quantity),
        album_id=album_id,
        asset_id=asset_id,
        at=at,
    )
    return session.scalar(statement.on_conflict_do_nothing().returning(UsageEvent.id)) is not None


def smallest(meter: Meter, quantity: float) -> int:
    """`quantity` in the smallest unit. Seconds are rounded to milliseconds; bytes and things must be whole."""
    if meter.per_unit > 1:
        return round(quantity * meter.per_unit)
    whole = int(quantity)
    if whole != quantity:
        raise ValueError(f"{meter.value} counts whole ones: {quantity}")
    return whole


def amount_of(meter: Meter, amount: int | None, quantity: float) -> int:
    """What an event's row counts, whichever release wrote it."""
    return round(quantity * meter.per_unit) if amount is None else amount


# Keys of `Session.info`: metrics of the current transaction, and those of one that has committed.
_PENDING = "usage metrics"
_DUE = "usage metrics due"
_UNITS = {"bytes": "Bytes", "seconds": "Seconds", "count": "Count", "views": "Count"}


def tell(session: Session, metrics: Metrics, tenant_id: str, meter: Meter, quantity: float, *, at: datetime) -> None:
    """Put the quantity of a new event to `metrics` when the current transaction has committed, and not otherwise.

    Under the event's own time: one that is committed after the hour still counts for the same hour in both.
    """
    unit = _UNITS[meter.value.rpartition(".")[2]]

    def put() -> None:
        metrics.put(f"usage.{meter.value}", quantity, at, unit=unit, tenant=tenant_id)

    session.info.setdefault(_PENDING, []).append(put)


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info[_DUE] = session.info.pop(_PENDING, [])


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    """The connection is given back by now: an adapter on SQL takes one of its own."""
    if transaction.parent is None:
        session.info.pop(_PENDING, None)
        for put in session.info.pop(_DUE, []):
            put()


def total(session: Session, meter: Meter, start: datetime, end: datetime) -> int:
    """Exact sum over [start, end) for the tenant in scope, in the smallest unit."""
    window = (UsageEvent.meter == meter, UsageEvent.at >= start, UsageEvent.at < end)
    exact = session.scalar(select(func.sum(UsageEvent.amount)).where(*window)) or 0
    older = session.scalars(select(UsageEvent.quantity).where(*window, UsageEvent.amount.is_(None)))
    return int(exact) + sum(amount_of(meter, None, quantity) for quantity in older)
