"""The only file that talks to Stripe, by its own library (API version 2026-10-28.endive).

Callers get plain values and two kinds of errors: `Unavailable` when trying again may help (no answer, 409, 429, 5xx, a
wrong key), `Problem` when Stripe has refused what was asked. Every write does a thing once, however often the library
or we ask for it: by an idempotency key, or by a name that Stripe takes only once.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import stripe
from stripe import StripeClient

from billing.stripe_names import kind_of, plan_of_product
from infra.errors import Problem, Unavailable
from infra.settings import Settings

RETRIES = 2
TIMEOUT = 20
"""Seconds. A page waits for a checkout; the library's own 80 would hold a thread for too long."""
TOLERANCE = 300
"""Seconds that a webhook may be old: Stripe's own default."""
THIN = "v2.core.event"

Thing = dict[str, Any]


class Duplicate(Exception):
    """Stripe has a meter event of that identifier already."""


class BadSignature(Exception):
    """The webhook is not Stripe's, or too old to be believed."""


@dataclass(frozen=True)
class Snapshot:
    """A subscription as Stripe has it at one moment. `tenant` is what its metadata say, empty if nothing."""

    id: str
    plan: str
    """A plan's code, by the product of its price; empty if none of its prices is a plan's."""
    status: str
    tenant: str
    created_at: datetime
    trial_end: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    ends_with_period: bool
    items: tuple["Item", ...]


@dataclass(frozen=True)
class Item:
    """One price of a subscription; `kind` is what it is for (`stripe_names.kind_of`)."""

    id: str
    price: str
    kind: str


@dataclass(frozen=True)
class StripeGateway:
    """`secrets` sign webhooks: one for each event destination, and for a while two while one is rolled."""

    client: StripeClient
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> "StripeGateway":
        addresses: Any = {"api": settings.stripe_api} if settings.stripe_api else None
        client = StripeClient(
            settings.stripe_key.get_secret_value(),
            base_addresses=addresses,
            max_network_retries=RETRIES,
            http_client=stripe.RequestsClient(timeout=TIMEOUT),
        )
        secrets = settings.stripe_webhook_secret.get_secret_value().split(",")
        return cls(client, tuple(secret.strip() for secret in secrets if secret.strip()))

    # --- The catalogue (billing/catalogue.py says what is in it) ---

    def all(self, kind: str, **params: Any) -> list[Thing]:
        """Every product, price or meter, through all pages."""
        with _refusals():
            found = self._service(kind).list({"limit": 100, **params})
            return [each.to_dict() for each in found.auto_paging_iter()]

    def create(self, kind: str, params: Mapping[str, Any]) -> Thing:
        """No idempotency key but the library's own: a product's id, a meter's event name and a price's lookup key keep
        Stripe from twins, and what was archived within the day can be made again."""
        with _refusals():
            return cast(Thing, self._service(kind).create(dict(params)).to_dict())

    def update(self, kind: str, name: str, params: Mapping[str, Any]) -> Thing:
        """Sets what `params` say; to set it twice is to set it once."""
        with _refusals():
            return cast(Thing, self._service(kind).update(name, dict(params)).to_dict())

    def _service(self, kind: str) -> Any:
        v1 = self.client.v1
        return {"products": v1.products, "prices": v1.prices, "meters": v1.billing.meters}[kind]

    # --- Customers and what they sign ---

    def create_customer(self, tenant_id: str, name: str, email: str) -> str:
        """The id of the tenant's customer; a second time within a day the same one."""
        params: Any = {"name": name, "email": email, "metadata": {"tenant": tenant_id}}
        with _refusals():
            return self.client.v1.customers.create(params, {"idempotency_key": f"customer:{tenant_id}"}).id

    def checkout(self, params: Mapping[str, Any], key: str) -> str:
        """The address of a Checkout page for a first payment."""
        with _refusals():
            made = self.client.v1.checkout.sessions.create(cast(Any, dict(params)), {"idempotency_key": key})
            return str(made.url)

    def portal(self, customer: str, return_url: str) -> str:
        """The address of the Customer Portal: cards, invoices, addresses, cancelling."""
        with _refusals():
            params: Any = {"customer": customer, "return_url": return_url}
            return self.client.v1.billing_portal.sessions.create(params).url

    def subscriptions(self, customer: str) -> list[Snapshot]:
        """All that the customer has or had, as they are now."""
        with _refusals():
            found = self.client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 100})
            return [snapshot(each.to_dict()) for each in found.auto_paging_iter()]

    def change_subscription(self, name: str, params: Mapping[str, Any], key: str) -> Snapshot:
        with _refusals():
            made = self.client.v1.subscriptions.update(name, cast(Any, dict(params)), {"idempotency_key": key})
            return snapshot(made.to_dict())

    def preview(self, params: Mapping[str, Any]) -> Thing:
        """The next invoice as Stripe would write it; amounts in minor units."""
        with _refusals():
            return self.client.v1.invoices.create_preview(cast(Any, dict(params))).to_dict()

    # --- Usage ---

    def meter_event(self, meter: str, customer: str, value: int, at: datetime, identifier: str) -> None:
        """`POST /v1/billing/meter_events`. Raises `Duplicate`.

        The idempotency key is the identifier, which is what Stripe's error reports name.
        """
        params: Any = {
            "event_name": meter,
            "identifier": identifier,
            "timestamp": int(at.timestamp()),
            "payload": {"stripe_customer_id": customer, "value": str(value)},
        }
        try:
            with _refusals():
                self.client.v1.billing.meter_events.create(params, {"idempotency_key": identifier})
        except Problem as problem:
            # Stripe gives this refusal no code: its sentence is all there is to know it by.
            if "event already exists with identifier" in problem.detail:
                raise Duplicate(identifier) from None
            raise

    def metered(self, meter_id: str, customer: str, start: datetime, end: datetime) -> int | None:
        """Stripe's sum over [start, end), whole minutes; None if it has no event there. A little behind events."""
        params: Any = {"customer": customer, "start_time": int(start.timestamp()), "end_time": int(end.timestamp())}
        with _refusals():
            found = self.client.v1.billing.meters.event_summaries.list(meter_id, params).data
            return int(found[0].aggregated_value) if found else None

    # --- Webhooks ---

    def verified(self, payload: bytes, signature: str) -> Thing:
        """The event, snapshot or thin, once Stripe's own check has passed. Raises `BadSignature`."""
        for secret in self.secrets:
            try:
                return self._event(payload, signature, secret)
            except stripe.SignatureVerificationError as error:
                refused = str(error.user_message)
            except (ValueError, KeyError) as error:
                refused = f"not an event: {error}"
        raise BadSignature(refused)

    def _event(self, payload: bytes, signature: str, secret: str) -> Thing:
        text = payload.decode()
        if f'"{THIN}"' in text:
            self.client.parse_event_notification(text, signature, secret, TOLERANCE)
            found = json.loads(text)
        else:
            found = self.client.construct_event(text, signature, secret, TOLERANCE).to_dict()
        return cast(Thing, found)

    def thin_event(self, name: str) -> Thing:
        """A thin event with its data (`GET /v2/core/events/{id}`)."""
        with _refusals():
            return self.client.v2.core.events.retrieve(name).to_dict()


def snapshot(thing: Thing) -> Snapshot:
    items = thing["items"]["data"]
    plans = [plan_of_product(str(item["price"]["product"])) for item in items]
    return Snapshot(
        id=thing["id"],
        plan=next(filter(None, plans), ""),
        status=thing["status"],
        tenant=(thing.get("metadata") or {}).get("tenant", ""),
        created_at=moment(thing["created"]),
        trial_end=moment(thing["trial_end"]) if thing.get("trial_end") else None,
        # Since 2025 a period belongs to an item.
        period_start=moment(items[0]["current_period_start"]) if items else None,
        period_end=moment(items[0]["current_period_end"]) if items else None,
        ends_with_period=bool(thing.get("cancel_at_period_end") or thing.get("cancel_at")),
        items=tuple(Item(item["id"], item["price"]["id"], kind_of(str(item["price"]["product"]))) for item in items),
    )


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@contextmanager
def _refusals() -> Iterator[None]:
    """Stripe's errors as ours."""
    try:
        yield
    except stripe.CardError as error:
        raise Problem("conflict", str(error.user_message)) from error
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError, stripe.AuthenticationError) as error:
        raise Unavailable(f"Stripe: {error}") from error
    except stripe.StripeError as error:
        if error.http_status is not None and (error.http_status >= 500 or error.http_status in (409, 429)):
            raise Unavailable(f"Stripe: {error}") from error
        raise Problem("invalid", f"Stripe refuses: {error.user_message}") from error
