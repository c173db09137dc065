"""Sends what `webhooks.publish` wrote: signed, to public addresses only, again and again with growing pauses.

At least once: a process that dies after sending sends again when its claim has run out, and the receiver knows the
`webhook-id`. A slow endpoint holds up only its own: each has so many of a round, and a round has so many threads.
"""

import http.client
import json
import random
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy import delete, select, update
from standardwebhooks import Webhook

from infra import guarded
from infra.errors import N_
from infra.guarded import Network
from infra.sql import reading
from tenants import webhooks
from tenants.db import across_tenants, db
from tenants.scope import open_site, ports, settings
from tenants.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookMessage

log = structlog.get_logger(__name__)

PAUSES = tuple(timedelta(seconds=each) for each in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""After each failed attempt; with the last one about three days have passed."""
CLAIM = timedelta(seconds=60)
"""Longer than an attempt takes."""
KEPT = timedelta(days=30)
SECONDS = 10.0
AT_ONCE, OF_ONE, THREADS = 64, 8, 16


@dataclass(frozen=True)
class Parcel:
    """All that an attempt needs, read before it: no transaction is open while somebody else's server thinks."""

    tenant_id: str
    delivery_id: str
    attempts: int
    url: str
    message_id: str
    body: str
    secret: str


@dataclass(frozen=True)
class Outcome:
    """`status` is what the endpoint answered, if it did; `error` is why there was none, or why none was tried."""

    status: int | None = None
    error: str = ""

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def deliver_due() -> int:
    """One round; how many were tried."""
    parcels = [parcel for tenant_id, delivery_id in _due() if (parcel := _claim(tenant_id, delivery_id))]
    now, networks = ports().clock.now(), settings().webhook_networks
    if not parcels:
        return 0
    with ThreadPoolExecutor(THREADS) as pool:
        for parcel, outcome in zip(parcels, pool.map(lambda each: attempt(each, now, networks), parcels), strict=True):
            _record(parcel, outcome)
    return len(parcels)


def tidy() -> None:
    """Messages are kept for a month, and their deliveries with them."""
    session = db.session()
    with reading(False), across_tenants(session, "old messages of every tenant go"):
        session.execute(delete(WebhookMessage).where(WebhookMessage.created_at < ports().clock.now() - KEPT))
        session.commit()


def _due() -> list[tuple[str, str]]:
    session = db.session()
    with reading(), across_tenants(session, "messages of every tenant are sent by whoever comes first"):
        rows = session.execute(
            select(WebhookDelivery.tenant_id, WebhookDelivery.id, WebhookDelivery.endpoint_id)
            .where(WebhookDelivery.state == DeliveryState.PENDING, WebhookDelivery.next_at <= ports().clock.now())
            .order_by(WebhookDelivery.next_at, WebhookDelivery.id)
            .limit(AT_ONCE * 4)
        ).all()
        session.rollback()
    taken: dict[str, int] = {}
    found: list[tuple[str, str]] = []
    for tenant_id, delivery_id, endpoint_id in rows:
        taken[endpoint_id] = taken.get(endpoint_id, 0) + 1
        if taken[endpoint_id] <= OF_ONE and len(found) < AT_ONCE:
            found.append((tenant_id, delivery_id))
    return found


def _claim(tenant_id: str, delivery_id: str) -> Parcel | None:
    """The delivery, if nobody else has taken it up since."""
    with reading(False), open_site(tenant_id) as site:
        now = site.now()
        claimed: Any = site.session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.tenant_id == tenant_id,
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.state == DeliveryState.PENDING,
                WebhookDelivery.next_at <= now,
            )
            .values(next_at=now + CLAIM, attempts=WebhookDelivery.attempts + 1)
            .execution_options(synchronize_session=False)
        )
        if not claimed.rowcount:
            return None
        row = site.session.get_one(WebhookDelivery, (tenant_id, delivery_id))
        endpoint = site.session.get_one(WebhookEndpoint, (tenant_id, row.endpoint_id))
        message = site.session.get_one(WebhookMessage, (tenant_id, row.message_id))
        signing = webhooks.signing_secret(endpoint)
        if endpoint.disabled_at is not None or signing is None:
            row.state, row.last_error = DeliveryState.FAILED, "the webhook is switched off"
            site.session.commit()
            return None
        body = json.dumps(message.body, ensure_ascii=False, separators=(",", ":"))
        parcel = Parcel(tenant_id, row.id, row.attempts, endpoint.url, message.id, body, signing)
        site.session.commit()
        return parcel


def attempt(parcel: Parcel, now: datetime, networks: tuple[Network, ...]) -> Outcome:
    """Send once. Where the name leads is asked anew, and it is that address that is connected to. A redirect is an
    answer like any other that is not 2xx: following it would go past that check."""
    parts = urlsplit(parcel.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
        allowed = [address for address in addresses if guarded.may_connect(address, networks)]
        if not allowed or len(allowed) < len(addresses):
            return Outcome(error="its address is not on the public internet")
        return _post(parcel, allowed[0], port, now)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(error=(str(error) or type(error).__name__)[:300])


def _post(parcel: Parcel, address: str, port: int, now: datetime) -> Outcome:
    parts = urlsplit(parcel.url)
    host = parts.hostname or ""
    with guarded.connected(address, port, SECONDS) as streams:
        if parts.scheme == "https":
            guarded.secured(ssl.create_default_context(), host, streams)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = streams[-1]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, parcel.body.encode(), headers=_headers(parcel, parts.netloc, now))
        return Outcome(status=connection.getresponse().status)  # Its body is of no interest.


def _headers(parcel: Parcel, netloc: str, now: datetime) -> dict[str, str]:
    return {
        "Host": netloc,
        "Content-Type": "application/json",
        "User-Agent": "webhooks/1.0",
        "Connection": "close",
        "webhook-id": parcel.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(parcel.secret).sign(parcel.message_id, now, parcel.body),
    }


def _record(parcel: Parcel, outcome: Outcome) -> None:
    with reading(False), open_site(parcel.tenant_id) as site:
        row = site.session.get(WebhookDelivery, (parcel.tenant_id, parcel.delivery_id), with_for_update=True)
        if row is None or row.attempts != parcel.attempts or row.state is not DeliveryState.PENDING:
            return  # Deleted, or somebody asked for it anew meanwhile.
        now = site.now()
        row.last_status, row.last_error, row.last_at = outcome.status, outcome.error, now
        if outcome.good:
            row.state = DeliveryState.DELIVERED
        elif outcome.status == 410:
            _give_up(site.session, row, now, N_("It answered 410 Gone."))
        elif row.attempts > len(PAUSES):
            _give_up(site.session, row, now, N_("It took no message for three days."))
        else:
            row.next_at = now + PAUSES[row.attempts - 1] * random.uniform(1, 1.1)  # noqa: S311 (spreads the load)
        site.session.commit()
        log.info("webhook", delivery=row.id, event_type=row.event, status=outcome.status, error=outcome.error or None)


def _give_up(session: Any, row: WebhookDelivery, now: datetime, why: str) -> None:
    row.state = DeliveryState.FAILED
    endpoint = session.get_one(WebhookEndpoint, (row.tenant_id, row.endpoint_id))
    if endpoint.disabled_at is None:
        endpoint.disabled_at, endpoint.disabled_why = now, why
