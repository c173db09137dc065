"""Billing with Stripe, where Stripe is the fake of `stripe_fake`, served on HTTP and on the test's clock."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from conftest import ManualClock
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import select
from stripe_fake import KEY, FakeStripe, running
from stripe_fake.http import signed
from stripe_fake.subscriptions import begin
from werkzeug.test import TestResponse

from billing import catalogue, subscriptions
from billing.accounts import BillingAccount, StripeEvent, Subscription
from billing.plans import PLANS, Dimension
from billing.stripe_gateway import StripeGateway
from billing.stripe_names import lookup_key
from billing.terms import plan_at
from infra.settings import Settings
from tenants.db import across_tenants, db
from tenants.scope import open_site, ports

OLD, SECRET = "whsec_rolled", "whsec_now"


def by_stripe(settings: Settings, url: str) -> Settings:
    """The same installation, paid through the Stripe at `url`."""
    about = {"stripe_key": SecretStr(KEY), "stripe_webhook_secret": SecretStr(f"{OLD},{SECRET}"), "stripe_api": url}
    return settings.model_copy(update={"billing": "stripe", **about})


@pytest.fixture
def fake(clock: ManualClock) -> FakeStripe:
    """A fake of Stripe."""
    return FakeStripe(clock)


@pytest.fixture
def stripe_url(fake: FakeStripe) -> Iterator[str]:
    with running(fake) as url:
        yield url


def on_clock(app: Flask, clock: ManualClock) -> Flask:
    app.extensions["vitrine.ports"] = replace(app.extensions["vitrine.ports"], clock=clock)
    return app


@dataclass
class Stage:
    """An app whose plans are in the fake; a tenant's subscription begins and goes on as Stripe's side sees it."""

    app: Flask
    fake: FakeStripe
    gateway: StripeGateway

    @classmethod
    def of(cls, app: Flask, fake: FakeStripe, settings: Settings) -> "Stage":
        gateway = StripeGateway.of(settings)
        catalogue.sync(gateway)
        return cls(app, fake, gateway)

    def account(self, tenant_id: str) -> str:
        """The tenant's customer, made."""
        with self.app.app_context(), open_site(tenant_id) as site:
            found = self.gateway.create_customer(tenant_id, site.tenant.name, "pays@example.com")
            site.session.add(BillingAccount(tenant_id=tenant_id, customer=found, created_at=site.now()))
            site.session.commit()
        return found

    def lines(self, code: str) -> list[dict[str, Any]]:
        """Subscription items of a plan."""
        plan = PLANS[code]
        ids = {price["lookup_key"]: price["id"] for price in self.fake.all("price")}
        metered = [d for d in Dimension if plan.allowance(d).tiers]
        return [
            {"price": ids[lookup_key(code)], "quantity": "1"},
            *({"price": ids[lookup_key(code, dimension)]} for dimension in metered),
        ]

    def subscribe(self, tenant_id: str, customer: str, code: str = "studio", **more: Any) -> str:
        """Stripe's id of a subscription that a Checkout page made."""
        with self.fake.lock:
            return str(begin(self.fake, customer, self.lines(code), metadata={"tenant": tenant_id}, **more)["id"])

    def tell(self, event: dict[str, Any], *, secret: str = SECRET, age: int = 0, body: bytes = b"") -> TestResponse:
        """Deliver a webhook; `body` in the place of what was signed."""
        real, headers = signed(event, secret, age=age)
        client = self.app.test_client()
        return client.post("/webhooks/stripe", data=body or real, headers=headers, base_url="http://localhost")

    def state(self, tenant_id: str) -> tuple[str, str, list[tuple[str, str, bool]]]:
        """Standing, plan, and each subscription's plan, status and whether it is to end; without ids and times."""
        with self.app.app_context(), open_site(tenant_id) as site:
            rows = site.session.scalars(select(Subscription).order_by(Subscription.created_at, Subscription.id))
            found = [(row.plan, row.status, row.ends_with_period) for row in rows]
            plan = plan_at(site.session, tenant_id, ports().clock.now()).code
            return site.tenant.standing.value, plan, found

    def outcomes(self) -> dict[str, str]:
        """What became of each webhook that was stored."""
        with self.app.app_context():
            session = db.session()
            with across_tenants(session, "test"):
                return {event.id: event.outcome for event in session.scalars(select(StripeEvent))}

    def refresh(self, tenant_id: str) -> bool:
        with self.app.app_context():
            return subscriptions.refresh(self.gateway, tenant_id)
