"""Webhooks: endpoints of the tenant, and what was delivered to them."""

from collections.abc import Sequence
from typing import Any

from flask import Response, g, url_for
from marshmallow import fields, validate
from sqlalchemy import select

from infra.errors import Problem
from tenants import webhooks
from tenants.api_tokens import Scope
from tenants.names import is_id
from tenants.webhooks import MAX_URL, DeliveryState, Event, WebhookDelivery, WebhookEndpoint
from webapp.api.answers import Document, check_version, dumped, empty, once, told
from webapp.api.blueprint import operation
from webapp.api.pages import Cursor, PageQuery, page
from webapp.api.shapes import Flag, Moment, Shape, about, identifier, one_of, page_of, text

TAG = "Webhooks"
_CHOICES = [event.value for event in Event if event is not Event.PING]


def _events(**more: Any) -> fields.List[Any]:
    return fields.List(
        fields.String(validate=validate.OneOf(_CHOICES)), validate=validate.Length(1, len(_CHOICES)), **more
    )


class WebhookIn(Shape):
    """What of a webhook can be set."""

    url = fields.String(
        validate=[validate.Length(1, MAX_URL), validate.Regexp(r"^https?://[!-~]+\Z", error="This is no address.")],
        metadata=about("Of a server on the public internet, with https."),
    )
    events = _events(metadata=about("What it is told of."))
    label = text(120)


class WebhookNew(WebhookIn):
    """A new webhook."""

    url = fields.String(
        required=True,
        validate=[validate.Length(1, MAX_URL), validate.Regexp(r"^https?://[!-~]+\Z", error="This is no address.")],
    )
    events = _events(required=True)


class WebhookChange(WebhookIn):
    """Changes of a webhook: what is left out stays."""

    enabled = Flag(metadata=about("false: it gets nothing, and does not hear later of what it missed."))


class WebhookOut(Shape):
    """A webhook."""

    id = identifier(required=True)
    url = fields.String(required=True)
    label = fields.String(required=True)
    events = fields.List(fields.String(), required=True)
    enabled = Flag(required=True)
    disabled_why = fields.String(required=True, metadata=about("Why it was switched off, unless somebody did it."))
    created_at = Moment(required=True)


class WebhookMade(WebhookOut):
    """A new webhook with the secret of its signatures (Standard Webhooks), which is told this once."""

    secret = fields.String(required=True)


class DeliveryOut(Shape):
    """One message to a webhook, with how the last attempt went."""

    id = identifier(required=True)
    webhook_id = identifier(required=True, attribute="endpoint_id")
    message_id = identifier(required=True, metadata=about("The `webhook-id` that the message has."))
    event = one_of(Event, required=True)
    state = one_of(DeliveryState, required=True)
    attempts = fields.Integer(required=True)
    next_at = Moment(required=True, allow_none=True)
    last_status = fields.Integer(required=True, allow_none=True)
    last_error = fields.String(required=True)
    last_at = Moment(required=True, allow_none=True)
    created_at = Moment(required=True)


class Nothing(Shape):
    """Nothing is to be said."""


WebhookPage = page_of(WebhookOut, "WebhookPage")
DeliveryPage = page_of(DeliveryOut, "DeliveryPage")


@operation("GET", "/webhooks", scope=Scope.WEBHOOKS_READ, tag=TAG, returns=WebhookPage, query=PageQuery)
def list_webhooks(query: dict[str, Any]) -> Response:
    """List webhooks, the newest first."""
    cursor = Cursor("webhooks")
    wanted = select(WebhookEndpoint).order_by(WebhookEndpoint.id.desc()).limit(query["limit"] + 1)
    place = cursor.read(query["cursor"])
    if place is not None:
        wanted = wanted.where(WebhookEndpoint.id < place[1])
    rows = g.site.session.scalars(wanted).all()
    return told(page(rows, query["limit"], lambda row: cursor.at(None, row.id), lambda all_: [*map(document, all_)]))


@operation("POST", "/webhooks", scope=Scope.WEBHOOKS_WRITE, tag=TAG, returns=WebhookMade, status=201, takes=WebhookNew)
def create_webhook(body: dict[str, Any]) -> Response:
    """Create a webhook. Its secret is told in this answer only."""

    def make() -> tuple[Document, str]:
        events = [Event(value) for value in body["events"]]
        endpoint, secret = webhooks.create(g.site, body["url"], events, label=body.get("label", ""))
        return {**document(endpoint), "secret": secret}, url_for("api.get_webhook", webhook_id=endpoint.id)

    return once(make)


@operation("GET", "/webhooks/<webhook_id>", scope=Scope.WEBHOOKS_READ, tag=TAG, returns=WebhookOut)
def get_webhook(webhook_id: str) -> Response:
    """Read a webhook."""
    return told(document(endpoint_of(webhook_id)))


@operation(
    "PATCH",
    "/webhooks/<webhook_id>",
    scope=Scope.WEBHOOKS_WRITE,
    tag=TAG,
    returns=WebhookOut,
    takes=WebhookChange,
    versioned=True,
)
def change_webhook(body: dict[str, Any], webhook_id: str) -> Response:
    """Change a webhook. What is left out stays."""
    endpoint = endpoint_of(webhook_id, lock=True)
    check_version(document(endpoint))
    if "url" in body:
        endpoint.url = webhooks.check_url(body["url"])
    if "events" in body:
        endpoint.events = webhooks.named([Event(value) for value in body["events"]])
    if "label" in body:
        endpoint.label = body["label"]
    if "enabled" in body:
        webhooks.switch(g.site, endpoint, body["enabled"])
    answer = document(endpoint)
    g.site.session.commit()
    return told(answer)


@operation("DELETE", "/webhooks/<webhook_id>", scope=Scope.WEBHOOKS_WRITE, tag=TAG, status=204, versioned=True)
def delete_webhook(webhook_id: str) -> Response:
    """Delete a webhook for good, with what was written down of its deliveries."""
    endpoint = endpoint_of(webhook_id, lock=True)
    check_version(document(endpoint))
    g.site.session.delete(endpoint)
    g.site.session.commit()
    return empty()


@operation(
    "POST",
    "/webhooks/<webhook_id>/ping",
    scope=Scope.WEBHOOKS_WRITE,
    tag=TAG,
    returns=WebhookOut,
    status=201,
    takes=Nothing,
)
def ping_webhook(_body: dict[str, Any], webhook_id: str) -> Response:
    """Send a message of the type `ping`, to see whether it arrives."""

    def make() -> tuple[Document, None]:
        endpoint = endpoint_of(webhook_id)
        webhooks.publish(g.site, Event.PING, {}, only=endpoint)
        return document(endpoint), None

    return once(make)


@operation(
    "GET",
    "/webhooks/<webhook_id>/deliveries",
    scope=Scope.WEBHOOKS_READ,
    tag=TAG,
    returns=DeliveryPage,
    query=PageQuery,
)
def list_deliveries(query: dict[str, Any], webhook_id: str) -> Response:
    """List the deliveries of a webhook in the last 30 days, the newest first."""
    endpoint = endpoint_of(webhook_id)
    cursor = Cursor("deliveries", endpoint.id)
    wanted = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id)
    place = cursor.read(query["cursor"])
    if place is not None:
        wanted = wanted.where(WebhookDelivery.id < place[1])
    rows = g.site.session.scalars(wanted.order_by(WebhookDelivery.id.desc()).limit(query["limit"] + 1)).all()
    return told(page(rows, query["limit"], lambda row: cursor.at(None, row.id), _deliveries))


@operation(
    "POST",
    "/deliveries/<delivery_id>/replay",
    scope=Scope.WEBHOOKS_WRITE,
    tag=TAG,
    returns=DeliveryOut,
    status=201,
    takes=Nothing,
)
def replay_delivery(_body: dict[str, Any], delivery_id: str) -> Response:
    """Send a message again, under the same `webhook-id`."""

    def make() -> tuple[Document, None]:
        row: WebhookDelivery | None = (
            g.site.session.get(WebhookDelivery, (g.site.tenant_id, delivery_id)) if is_id(delivery_id) else None
        )
        if row is None:
            raise Problem("not-found")
        webhooks.replay(g.site, row)
        g.site.session.flush()
        return _delivery(row), None

    return once(make)


def endpoint_of(webhook_id: str, *, lock: bool = False) -> WebhookEndpoint:
    wanted = select(WebhookEndpoint).where(WebhookEndpoint.id == webhook_id)
    wanted = wanted.with_for_update() if lock else wanted
    found: WebhookEndpoint | None = g.site.session.scalar(wanted) if is_id(webhook_id) else None
    if found is None:
        raise Problem("not-found")
    return found


def document(endpoint: WebhookEndpoint) -> Document:
    same = ("id", "url", "label", "events", "disabled_why", "created_at")
    told_of = {name: getattr(endpoint, name) for name in same}
    return dumped(WebhookOut, {**told_of, "enabled": endpoint.disabled_at is None})


def _deliveries(rows: Sequence[WebhookDelivery]) -> list[Document]:
    return [_delivery(row) for row in rows]


def _delivery(row: WebhookDelivery) -> Document:
    same = (
        "id",
        "endpoint_id",
        "message_id",
        "event",
        "attempts",
        "last_status",
        "last_error",
        "last_at",
        "created_at",
    )
    waiting = row.state is DeliveryState.PENDING
    return dumped(
        DeliveryOut,
        {
            **{name: getattr(row, name) for name in same},
            "created_at": row.created_at,
            "state": row.state.value,
            "next_at": row.next_at if waiting else None,
        },
    )
