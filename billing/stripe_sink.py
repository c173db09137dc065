"""Meter events to Stripe: `billing.ledger.MeterSink`.

A meter event's `timestamp` is the minute of the window that has the revision's number, so what Stripe has of one event
can be read from the sum of its minute, however long ago it was sent (`arrived`).
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.accounts import BillingAccount
from billing.ledger import LedgerRow, MeterEvent, Refused
from billing.plans import Dimension
from billing.stripe_gateway import Duplicate, StripeGateway
from billing.stripe_names import meter_name, metered, rounded, unit
from infra.errors import Problem, Unavailable
from infra.sql import reading
from tenants.db import across_tenants, db
from tenants.scope import ports

TOO_OLD = timedelta(days=35) - timedelta(hours=1)
"""Stripe takes timestamps of the past 35 days. An hour less, for a clock that is not ours."""
MINUTE = timedelta(minutes=1)
LAST_MINUTE = 59


class StripeSink:
    """Sends each event under its customer. A tenant that Stripe does not know pays nothing there."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._gateway = gateway
        self._meters: dict[str, str] = {}

    def send(self, event: MeterEvent) -> None:
        at = minute_of(event)
        if at < ports().clock.now() - TOO_OLD:
            raise Refused("older than the 35 days that Stripe takes: bill it by hand (docs/billing.md)")
        customer, value = self._look(event)
        if customer is None or value == 0:
            return
        try:
            self._gateway.meter_event(meter_name(Dimension(event.meter)), customer, value, at, event.identifier)
        except Duplicate:
            return
        except Problem as problem:
            # What is wrong can be set right, such as a meter that is not there yet: the event waits.
            raise Unavailable(problem.detail) from problem

    def arrived(self, event: MeterEvent) -> bool | None:
        """Whether Stripe counts the event; None if that cannot be told. True for what was never to be sent."""
        customer, value = self._look(event)
        if customer is None or value == 0:
            return True
        if revision_of(event) > LAST_MINUTE:
            return None
        at = minute_of(event)
        found = self._gateway.metered(self._meter(event.meter), customer, at, at + MINUTE)
        if found not in (None, value):
            return None
        return found is not None

    def _look(self, event: MeterEvent) -> tuple[str | None, int]:
        """The customer, and the value in Stripe's unit: both follow from the database alone, at any time the same.

        A dimension that no plan charges for is nobody's.

        No transaction is open afterwards: one that waits for Stripe would keep others from writing (SQLite).
        """
        if not metered(Dimension(event.meter)):
            return None, 0
        session = db.session()
        with reading(), across_tenants(session, "whom and how much a meter event is for"):
            try:
                wanted = select(BillingAccount.customer).where(BillingAccount.tenant_id == event.tenant_id)
                return session.scalar(wanted), value_of(session, event)
            finally:
                session.rollback()

    def _meter(self, meter: str) -> str:
        """Stripe's id of an active meter."""
        if not self._meters:
            self._meters = {each["event_name"]: each["id"] for each in self._gateway.all("meters", status="active")}
        try:
            return self._meters[meter_name(Dimension(meter))]
        except KeyError:
            raise Unavailable(f"Stripe has no meter {meter}: run `flask --app wsgi billing sync`") from None


def value_of(session: Session, event: MeterEvent) -> int:
    """The event's value in Stripe's unit: with those of all rows before it in the ledger it adds up to the whole."""
    each = unit(Dimension(event.meter))
    if each == 1:
        return event.value
    window = datetime.fromisoformat(event.identifier.split(":")[-2] + ":00:00+00:00")
    of_meter = (LedgerRow.tenant_id == event.tenant_id, LedgerRow.meter == event.meter)
    number = select(LedgerRow.number).where(
        *of_meter, LedgerRow.window == window, LedgerRow.revision == revision_of(event)
    )
    before = session.scalar(
        select(func.sum(LedgerRow.delta)).where(*of_meter, LedgerRow.number < number.scalar_subquery())
    )
    return rounded(int(before or 0), event.value, each)


def revision_of(event: MeterEvent) -> int:
    return int(event.identifier.rpartition(":")[2])


def minute_of(event: MeterEvent) -> datetime:
    """A minute of the window for each revision; revisions after the 59th share the last."""
    start = event.timestamp.replace(minute=0, second=0, microsecond=0)
    return start + min(revision_of(event), LAST_MINUTE) * MINUTE
