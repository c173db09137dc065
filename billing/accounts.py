"""What Stripe knows a tenant by, its subscriptions as last read, and the webhooks that said to read them again."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from tenants.db import Base, TenantOwned
from tenants.names import ID_LENGTH


class BillingAccount(TenantOwned, Base):
    """One a tenant; `customer` is Stripe's id of it."""

    __tablename__ = "billing_accounts"
    __table_args__ = (UniqueConstraint("tenant_id"), UniqueConstraint("customer"))

    customer: Mapped[str] = mapped_column(String(64), primary_key=True)
    asked: Mapped[int] = mapped_column(BigInteger, default=0)
    """How often it was begun to read the subscriptions from Stripe; each reading has the number that it made."""
    applied: Mapped[int] = mapped_column(BigInteger, default=0)
    """The number of the reading that is stored. One with a lower number is late and stored no more."""
    created_at: Mapped[datetime]


class Subscription(TenantOwned, Base):
    """A subscription as Stripe had it; `status` is Stripe's own word (docs.stripe.com/api/subscriptions/object)."""

    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    plan: Mapped[str] = mapped_column(String(32))
    """A code of `billing.plans.PLANS`; empty for one that is not of ours."""
    status: Mapped[str] = mapped_column(String(24))
    created_at: Mapped[datetime]
    trial_end: Mapped[datetime | None]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    ends_with_period: Mapped[bool]
    """Canceled by the customer, who has paid until `period_end`."""
    read_at: Mapped[datetime]


class StripeEvent(Base):
    """A webhook as it came in: what it is about, and what became of it.

    Not a tenant's: it is stored before anybody knows whose it is. It holds ids alone, since a handler reads the things
    themselves from Stripe, as they are by then.
    """

    __tablename__ = "stripe_events"
    __table_args__ = (Index("ix_stripe_events_outcome", "outcome", "received_at"),)

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    about: Mapped[str] = mapped_column(String(255))
    customer: Mapped[str] = mapped_column(String(64))
    """Whose thing it is about; empty if it is nobody's."""
    named: Mapped[str] = mapped_column(String(ID_LENGTH))
    """The tenant that the thing's own metadata name; empty if none."""
    created_at: Mapped[datetime]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    """None before, and of events that an earlier release handled."""
    outcome: Mapped[str] = mapped_column(String(8), default="received")
    """`received`, then `done`, `ignored` or `refused`."""
    why: Mapped[str] = mapped_column(String(200), default="")


def account(session: Session) -> BillingAccount | None:
    """The account of the tenant in scope."""
    return session.scalar(select(BillingAccount))


def by_customer(session: Session, customer: str) -> BillingAccount | None:
    """For code that works across tenants: a webhook knows only Stripe's id."""
    return session.scalar(select(BillingAccount).where(BillingAccount.customer == customer))
