"""Webhooks: what happens to a tenant's albums, told to the tenant's own servers (https://www.standardwebhooks.com).

`publish` writes the message and a delivery for each endpoint that wants it in the transaction of the change: they are
told if, and only if, it happened. `webhook_delivery.py` sends them.
"""

import base64
import enum
import ipaddress
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import JSON, Index, Integer, Row, Select, String, Text, insert, select
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy_utils import ChoiceType

from infra.errors import N_, Problem
from infra.guarded import may_connect
from tenants.catalog import Album, Asset, Kind
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, new_id
from tenants.scope import Site, secret, settings
from tenants.sealing import Unreadable, seal, unseal
from tenants.sharing import ShareLink

MOST_ENDPOINTS = 10
MAX_URL = 2000
_PURPOSE = "webhook secret"


class Event(enum.Enum):
    ALBUM_CREATED = "album.created"
    ALBUM_CHANGED = "album.changed"
    ALBUM_PUBLISHED = "album.published"
    """It is no longer private, or never was."""
    ALBUM_DELETED = "album.deleted"
    ASSET_READY = "asset.ready"
    ASSET_REJECTED = "asset.rejected"
    ASSET_DELETED = "asset.deleted"
    SHARE_CREATED = "share.created"
    SHARE_REVOKED = "share.revoked"
    PING = "ping"
    """Asked for by a member or a program, to see whether it arrives."""


class DeliveryState(enum.Enum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up: it is sent again only if somebody asks for it."""


class WebhookEndpoint(TenantOwned, Base):
    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    url: Mapped[str] = mapped_column(String(MAX_URL))
    label: Mapped[str] = mapped_column(String(120), default="")
    events: Mapped[list[str]] = mapped_column(JSON)
    """What it wants to hear of."""
    sealed_secret: Mapped[str] = mapped_column(Text)
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str] = mapped_column(String(300), default="")
    """Empty if a member did it."""
    created_at: Mapped[datetime]


class WebhookMessage(TenantOwned, Base):
    """`id` is the `webhook-id` of each of its deliveries, so that receivers know one that they have had."""

    __tablename__ = "webhook_messages"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    event: Mapped[str] = mapped_column(String(40))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(index=True)


class WebhookDelivery(TenantOwned, Base):
    """One message to one endpoint, with how the last attempt went."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        belongs_to("webhook_endpoints", "endpoint_id"),
        belongs_to("webhook_messages", "message_id"),
        Index("ix_webhook_deliveries_due", "state", "next_at"),
        Index("ix_webhook_deliveries_endpoint", "tenant_id", "endpoint_id", "id"),
        Index("ix_webhook_deliveries_message", "tenant_id", "message_id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    message_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    event: Mapped[str] = mapped_column(String(40))
    state: Mapped[DeliveryState] = mapped_column(
        ChoiceType(DeliveryState, impl=String(10)), default=DeliveryState.PENDING
    )
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_at: Mapped[datetime]
    """When it is sent, or sent again; while it is being sent, when somebody else may take it up."""
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str] = mapped_column(String(300), default="")
    last_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


def create(site: Site, url: str, events: Collection[Event], *, label: str = "") -> tuple[WebhookEndpoint, str]:
    """The endpoint, and the secret that its messages are signed with, which is shown this once."""
    if len(of_tenant(site)) >= MOST_ENDPOINTS:
        raise Problem("conflict", N_("There are %(most)d webhooks. Delete one first."), values={"most": MOST_ENDPOINTS})
    signing = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    endpoint = WebhookEndpoint(
        tenant_id=site.tenant_id,
        id=new_id(),
        url=check_url(url),
        label=label.strip()[:120],
        events=named(events),
        sealed_secret=seal(secret(), _PURPOSE, signing),
        created_at=site.now(),
    )
    site.session.add(endpoint)
    site.session.flush()
    return endpoint, signing


def of_tenant(site: Site) -> list[WebhookEndpoint]:
    return list(site.session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id)))


def named(events: Collection[Event]) -> list[str]:
    """Raises `Problem` for none."""
    if not events:
        raise Problem("invalid", N_("Choose at least one event."), field="events")
    return [event.value for event in Event if event in events and event is not Event.PING]


def signing_secret(endpoint: WebhookEndpoint) -> str | None:
    """None if the server's secret was changed since: then the endpoint has to be made anew."""
    try:
        return unseal(secret(), _PURPOSE, endpoint.sealed_secret)
    except Unreadable:
        return None


def check_url(url: str) -> str:
    """Raises `Problem("invalid")` for what cannot be delivered to: where a name leads is looked at each time."""
    parts = urlsplit(url.strip())
    try:
        port, host = parts.port, parts.hostname
    except ValueError:
        port, host = 0, None
    schemes = ("https",) if settings().scheme == "https" else ("https", "http")
    if not host or parts.scheme not in schemes or len(url) > MAX_URL or not _is_plain(url):
        raise Problem("invalid", N_("Enter an address that begins with https://."), field="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Problem("invalid", N_("The address may hold no user name, password or #."), field="url")
    if port is not None and port not in (80, 443) and port < 1024:
        raise Problem("invalid", N_("Use port 443, or one from 1024 on."), field="url")
    if _is_private(host):
        raise Problem("invalid", N_("That address is not on the public internet."), field="url")
    return url.strip()


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url.strip()


def _is_private(host: str) -> bool:
    """An address that is one already. Names are judged when they are resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not may_connect(host, settings().webhook_networks)


def publish(site: Site, event: Event, data: dict[str, Any], *, only: WebhookEndpoint | None = None) -> None:
    """Have an event told, within the current transaction, to whoever wants it (or to `only` one)."""
    hearers = [only] if only else _hearers(site, event)
    if hearers:
        _write(site, event, hearers, [data])


def publish_of_each(site: Site, event: Event, assets: Select[str, str, str, Kind]) -> None:
    """As `publish`, once for each row of id, album's id, file name and kind: nothing is read where nobody listens, and
    thousands take two statements."""
    hearers = _hearers(site, event)
    found = [about_asset(row) for row in site.session.execute(assets)] if hearers else []
    if found:
        _write(site, event, hearers, found)


def _write(site: Site, event: Event, hearers: list[WebhookEndpoint], told: list[dict[str, Any]]) -> None:
    now = site.now()
    common = {"tenant_id": site.tenant_id, "event": event.value, "created_at": now}
    said = {"type": event.value, "timestamp": now.isoformat().replace("+00:00", "Z")}
    messages: list[dict[str, Any]] = [common | {"id": new_id(), "body": said | {"data": data}} for data in told]
    site.session.execute(insert(WebhookMessage), messages)
    deliveries = [
        common | {"next_at": now, "id": new_id(), "endpoint_id": endpoint.id, "message_id": message["id"]}
        for message in messages
        for endpoint in hearers
    ]
    site.session.execute(insert(WebhookDelivery), deliveries)


def _hearers(site: Site, event: Event) -> list[WebhookEndpoint]:
    return [each for each in of_tenant(site) if each.disabled_at is None and event.value in each.events]


def about_album(album: Album) -> dict[str, Any]:
    return {"album_id": album.id, "title": album.title, "slug": album.slug, "visibility": album.visibility.value}


def about_asset(asset: Asset | Row[str, str, str, Kind]) -> dict[str, Any]:
    return {"asset_id": asset.id, "album_id": asset.album_id, "filename": asset.filename, "kind": asset.kind.value}


def about_link(link: ShareLink) -> dict[str, Any]:
    """Without its address: whoever reads the message may not be whom it is for."""
    return {"share_link_id": link.id, "album_id": link.album_id, "label": link.label}


def replay(site: Site, delivery: WebhookDelivery) -> None:
    """Send it again, from the beginning of its attempts, within the current transaction."""
    delivery.state, delivery.attempts, delivery.next_at = DeliveryState.PENDING, 0, site.now()


def switch(site: Site, endpoint: WebhookEndpoint, on: bool) -> None:
    """An endpoint that is off gets nothing, and is not told later what it missed."""
    endpoint.disabled_at = None if on else (endpoint.disabled_at or site.now())
    endpoint.disabled_why = ""
