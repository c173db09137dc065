"""Meter events that Stripe took and could not use, and those of which nobody knows whether it has them.

Stripe looks at a meter event's customer and value after it has accepted it. What it drops it tells by
`v1.billing.meter.error_report_triggered`, with a sample of identifiers for each kind of error. Those become
`doubtful`; so does everything that was sent for the meter in the report's time while there were more errors than
samples. A day later, when Stripe has forgotten the identifiers and its sums are complete, the sum of the event's own
minute says whether it is counted (`StripeSink.arrived`): then it is `sent`, else it is sent again. A person is asked
only where the sum fits neither.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, func, select, true, update
from sqlalchemy.orm import Session

from billing import outgoing
from billing.ledger import MeterEvent, MeterRow
from billing.plans import Dimension
from billing.stripe_gateway import StripeGateway, Thing
from billing.stripe_names import meter_name
from billing.stripe_sink import StripeSink
from infra.errors import Problem, Unavailable
from infra.sql import reading
from tenants.db import across_tenants, db
from tenants.scope import ports

log = structlog.get_logger(__name__)

FORGOTTEN = timedelta(hours=25)
"""After so long Stripe takes an identifier, and answers an idempotency key, as if it were new."""
MARGIN = timedelta(hours=1)
"""How long before a report's time its events may have been sent."""
BY_HAND = "look by hand: "
MOST = 100
"""Events looked into in one turn, each with a question to Stripe."""
_ON_THEIR_WAY = ("claimed", "again", "sent", "doubtful")


def take(gateway: StripeGateway, report: Thing) -> int:
    """Doubt what a report (a v2 event with its data) is about; how many events that are. Commits."""
    data = report["data"]
    codes = {each["code"]: each for each in data["reason"]["error_types"]}
    sampled = {
        sample["request"]["identifier"]: code
        for code, each in codes.items()
        for sample in each.get("sample_errors") or ()
        if (sample.get("request") or {}).get("identifier")
    }
    session = db.session()
    with across_tenants(session, "meter events that Stripe could not use"):
        found = 0
        for code in codes:
            names = [name for name, its in sampled.items() if its == code]
            found += _doubt(session, _named(names), code)
        if data["reason"]["error_count"] > len(sampled):
            found += _doubt(session, _around(gateway, report), "more errors than samples")
        session.commit()
    log.error("Stripe could not use meter events", count=found, codes=sorted(codes))
    ports().metrics.put("metering.doubtful", found)
    return found


def _named(identifiers: list[str]) -> ColumnElement[bool]:
    """An identifier begins with its tenant's id; both columns are the key."""
    tenants = {name.partition(":")[0] for name in identifiers}
    return MeterRow.tenant_id.in_(tenants) & MeterRow.identifier.in_(identifiers)


def _around(gateway: StripeGateway, report: Thing) -> ColumnElement[bool]:
    """What was sent in the report's time, of its meter or, where Stripe found no meter, of any."""
    start, end = (datetime.fromisoformat(report["data"][name]) for name in ("validation_start", "validation_end"))
    when = func.coalesce(MeterRow.sent_at, MeterRow.claimed_at).between(start - MARGIN, end)
    about = (report.get("related_object") or {}).get("id")
    names = {each["event_name"] for each in gateway.all("meters") if each["id"] == about}
    ours = [each.value for each in Dimension if meter_name(each) in names]
    return when & (MeterRow.meter.in_(ours) if about else true())


def _doubt(session: Session, wanted: ColumnElement[bool], why: str) -> int:
    done = session.execute(
        update(MeterRow)
        .where(wanted, MeterRow.state.in_(_ON_THEIR_WAY))
        .values(state="doubtful", why=f"Stripe reported errors: {why}"[:200])
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult


def look(sink: StripeSink) -> Counter[str]:
    """Ask Stripe about events in doubt that are a day old; how many came to which state. Commits."""
    session, done = db.session(), Counter[str]()
    for event in _in_doubt(session):
        try:
            arrived, why = sink.arrived(event), "Stripe's sum of its minute fits neither"
        except Unavailable as error:
            log.warning("meter events stay in doubt", error=str(error))
            break
        except Problem as problem:
            arrived, why = None, problem.detail
        with across_tenants(session, "settle meter events in doubt"):
            done[_settle(session, event, arrived, why)] += 1
            session.commit()
    return +done


def _in_doubt(session: Session) -> Iterator[MeterEvent]:
    with reading(), across_tenants(session, "meter events in doubt"):
        wanted = (
            select(MeterRow.identifier, MeterRow.tenant_id, MeterRow.meter, MeterRow.value, MeterRow.window)
            .where(MeterRow.state == "doubtful", MeterRow.claimed_at < ports().clock.now() - FORGOTTEN)
            .where(MeterRow.why.not_like(f"{BY_HAND}%"))
            .order_by(MeterRow.window, MeterRow.tenant_id)
            .limit(MOST)
        )
        found = [MeterEvent(*row) for row in session.execute(wanted)]
        session.rollback()
    return iter(found)


def _settle(session: Session, event: MeterEvent, arrived: bool | None, why: str) -> str:
    if arrived is not None:
        outgoing.settle(session, event.identifier, counted=arrived, now=ports().clock.now())
        return "settled" if arrived else "resent"
    log.error("a meter event stays in doubt", identifier=event.identifier, why=why)
    session.execute(
        update(MeterRow)
        .where(_named([event.identifier]), MeterRow.state == "doubtful")
        .values(why=(BY_HAND + why)[:200])
        .execution_options(synchronize_session=False)
    )
    return "undecided"
