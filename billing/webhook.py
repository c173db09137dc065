"""`POST /webhooks/stripe`: verified, stored, then handled (docs.stripe.com/webhooks).

An event is handled by reading what it is about from Stripe as that is now (`billing/subscriptions.py`), so one that
comes twice, late or in the wrong order does no harm. One that fails is answered with an error: Stripe sends it again
for three days, and `flask --app wsgi billing webhooks` tries what is left.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from billing import backend, reports
from billing.accounts import StripeEvent, by_customer
from billing.stripe_gateway import BadSignature, StripeGateway, Thing, moment
from billing.subscriptions import ForeignCustomer, refresh
from infra.errors import Problem, Unavailable
from infra.sql import insert_into, reading
from tenants.db import across_tenants, db
from tenants.names import ID_LENGTH
from tenants.scope import ports

log = structlog.get_logger(__name__)
hooks = Blueprint("stripe_hooks", __name__)

MOST_BYTES = 512 * 1024
MOST_LEFT = 100
"""Events tried again in one turn."""
KEPT = timedelta(days=90)
"""After it was handled: long beyond the three days in which Stripe sends an event again."""
MOST_FORGOTTEN = 1000
ERROR_REPORTS = ("v1.billing.meter.error_report_triggered", "v1.billing.meter.no_meter_found")
ABOUT_SUBSCRIPTIONS = ("customer.subscription.", "checkout.session.", "invoice.")


@hooks.post("/webhooks/stripe")
def receive() -> Response:
    """200 once the event is handled, ignored or refused for good; 400 for what is not Stripe's."""
    request.max_content_length = MOST_BYTES
    gateway = backend.gateway()
    try:
        event = gateway.verified(request.get_data(), request.headers.get("Stripe-Signature", ""))
    except BadSignature as error:
        log.warning("a webhook was not believed", why=str(error))
        raise Problem("bad-request", "The signature does not fit, or the event is too old.") from None
    store(event)
    return jsonify(outcome=handle(gateway, event["id"]))


def store(event: Thing) -> None:
    """Keep what the event is about, once, whoever else stores it at this moment. Commits."""
    session = db.session()
    statement = insert_into(session, StripeEvent).values(
        id=event["id"],
        type=event["type"],
        created_at=_when(event["created"]),
        received_at=ports().clock.now(),
        outcome="received",
        why="",
        **_about(event),
    )
    session.execute(statement.on_conflict_do_nothing())
    session.commit()


def _when(created: Any) -> datetime:
    """Seconds in an event of API v1, RFC 3339 in one of v2."""
    return moment(created) if isinstance(created, int) else datetime.fromisoformat(created.replace("Z", "+00:00"))


def _about(event: Thing) -> dict[str, str]:
    thing = event.get("data", {}).get("object") or event.get("related_object") or {}
    customer = thing["id"] if thing.get("object") == "customer" else thing.get("customer")
    named = (thing.get("metadata") or {}).get("tenant") or thing.get("client_reference_id") or ""
    return {"about": str(thing.get("id", ""))[:255], "customer": str(customer or "")[:64], "named": named[:ID_LENGTH]}


def handle(gateway: StripeGateway, event_id: str) -> str:
    """What became of a stored event: `done`, `ignored` or `refused`. Whatever is raised leaves it to be tried again."""
    session = db.session()
    with reading(), across_tenants(session, "whose a webhook is"):
        event = session.get_one(StripeEvent, event_id)
        kind, customer, named, outcome = event.type, event.customer, event.named, event.outcome
        account = by_customer(session, customer) if customer else None
        tenant_id = account.tenant_id if account else ""
    session.rollback()
    if outcome != "received":
        return outcome
    try:
        outcome, why = _carry_out(gateway, event_id, kind, tenant_id, named), ""
    except ForeignCustomer as refusal:
        outcome, why = "refused", str(refusal)
        log.error("a webhook is refused", event_id=event_id, type=kind, why=why)
    _settle(session, event_id, outcome, why)
    return outcome


def _carry_out(gateway: StripeGateway, event_id: str, kind: str, tenant_id: str, named: str) -> str:
    if kind in ERROR_REPORTS:
        reports.take(gateway, gateway.thin_event(event_id))
        return "done"
    if not kind.startswith(ABOUT_SUBSCRIPTIONS) or not (tenant_id or named):
        return "ignored"  # Such as of something else that is sold under the same Stripe account.
    if named and named != tenant_id:
        raise ForeignCustomer(f"it names tenant {named}, and the customer is {tenant_id or 'nobody'}'s")
    refresh(gateway, tenant_id)
    return "done"


def _settle(session: Session, event_id: str, outcome: str, why: str) -> None:
    settled = update(StripeEvent).where(StripeEvent.id == event_id)
    session.execute(settled.values(outcome=outcome, why=why[:200], handled_at=ports().clock.now()))
    session.commit()


def forget(now: datetime) -> Counter[str]:
    """Drop events that were handled `KEPT` ago, some in a turn. One that nobody could handle yet is kept for ever."""
    session = db.session()
    handled = func.coalesce(StripeEvent.handled_at, StripeEvent.received_at)
    old = (
        select(StripeEvent.id)
        .where(
            StripeEvent.outcome.in_(("done", "ignored", "refused")),
            StripeEvent.received_at < now - KEPT,  # What the index knows; no event is handled before it is received.
            handled < now - KEPT,
        )
        .limit(MOST_FORGOTTEN)
    )
    dropped = session.execute(
        delete(StripeEvent).where(StripeEvent.id.in_(old)).execution_options(synchronize_session=False)
    )
    session.commit()
    return +Counter({"webhooks forgotten": dropped.rowcount})  # type: ignore[attr-defined]


def handle_left(gateway: StripeGateway) -> Counter[str]:
    """Try what was stored and not handled, oldest first; how many came to what. What fails again waits again."""
    done: Counter[str] = Counter()
    for event_id in _left(db.session()):
        try:
            done[handle(gateway, event_id)] += 1
        except (Problem, Unavailable) as error:
            db.session.rollback()
            log.warning("a webhook waits", event_id=event_id, error=str(error))
    return done


def _left(session: Session) -> list[str]:
    with reading():
        waiting = select(StripeEvent.id).where(StripeEvent.outcome == "received").order_by(StripeEvent.received_at)
        found = list(session.scalars(waiting.limit(MOST_LEFT)))
        session.rollback()
    return found
