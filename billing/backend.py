"""The only place that decides who collects the money: the ledger alone, or Stripe (`VITRINE_BILLING`)."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from flask import Blueprint, current_app

from billing.ledger import LedgerOnly, MeterSink
from infra.errors import Problem
from infra.settings import Settings, wrong
from tenants.scope import settings

if TYPE_CHECKING:
    from billing.stripe_gateway import StripeGateway

_KEPT = "vitrine.stripe"


@dataclass(frozen=True)
class Routes:
    """For the web fleet: `hooks` are called by Stripe, `desk` by members."""

    hooks: Blueprint
    desk: Blueprint


def uses_stripe() -> bool:
    return settings().billing == "stripe"


def sink() -> MeterSink:
    """Where meter events go."""
    if not uses_stripe():
        return LedgerOnly()
    from billing.stripe_sink import StripeSink

    return StripeSink(gateway())


def gateway() -> "StripeGateway":
    """The app's connection to Stripe, made once. Raises `Problem` where billing is local."""
    if not uses_stripe():
        raise Problem("not-implemented", "Stripe is not used here: VITRINE_BILLING is local.")
    if _KEPT not in current_app.extensions:
        from billing.stripe_gateway import StripeGateway

        current_app.extensions[_KEPT] = StripeGateway.of(settings())
    return cast("StripeGateway", current_app.extensions[_KEPT])


def catch_up(now: datetime) -> Counter[str]:
    """What was left undone with Stripe: webhooks that failed, meter events in doubt, events that are kept no longer."""
    if not uses_stripe():
        return Counter()
    from billing import reports, webhook
    from billing.stripe_sink import StripeSink

    return handle_left() + reports.look(StripeSink(gateway())) + webhook.forget(now)


def handle_left() -> Counter[str]:
    """Webhooks that were stored and not handled; how many came to what."""
    from billing import webhook

    return webhook.handle_left(gateway())


def routes(chosen: Settings) -> Routes | None:
    """None where billing is local. Raises `SettingsError`: without its secret no webhook would be believed."""
    if chosen.billing != "stripe":
        return None
    if not chosen.stripe_webhook_secret.get_secret_value():
        raise wrong(["VITRINE_STRIPE_WEBHOOK_SECRET: is needed by VITRINE_BILLING=stripe in the web fleet"])
    from billing.desk import desk
    from billing.webhook import hooks

    return Routes(hooks, desk)
