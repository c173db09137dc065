"""`flask --app wsgi billing …`: the commands that need Stripe."""

from collections.abc import Callable
from typing import TypeVar

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select

from billing import backend
from billing.accounts import StripeEvent
from infra.errors import Unavailable
from infra.sql import reading
from tenants.commands import fail, friendly, site_of
from tenants.db import db

T = TypeVar("T")


def register(group: AppGroup) -> None:
    for command in (sync, webhooks, refresh):
        group.add_command(command)


@click.command("sync")
@click.option("--dry-run", is_flag=True, help="Say what would be done and do nothing.")
@with_appcontext
@friendly
def sync(dry_run: bool) -> None:
    """Bring Stripe's products, prices and meters up to billing/plans.py. Running it twice changes nothing."""
    from billing import catalogue

    done = _reached(lambda: catalogue.sync(backend.gateway(), dry=dry_run))
    for change in done:
        click.echo(str(change))
    if not done:
        click.echo("nothing to change")


@click.command("webhooks")
@with_appcontext
@friendly
def webhooks() -> None:
    """Handle webhooks that were stored and not handled, as `billing run` does. Lists those that were refused."""
    done = _reached(backend.handle_left)
    click.echo(", ".join(f"{count} {kind}" for kind, count in sorted(done.items())) or "nothing was left")
    session = db.session()
    with reading():
        refused = select(StripeEvent).where(StripeEvent.outcome == "refused").order_by(StripeEvent.received_at)
        for event in session.scalars(refused.limit(100)):
            click.echo(f"refused\t{event.id}\t{event.type}\t{event.why}")
        session.rollback()


@click.command("refresh")
@click.argument("slug")
@with_appcontext
@friendly
def refresh(slug: str) -> None:
    """Read a tenant's subscriptions from Stripe again, as a webhook does."""
    from billing import subscriptions

    with site_of(slug) as site:
        tenant_id = site.tenant_id
        site.session.rollback()
    _reached(lambda: subscriptions.refresh(backend.gateway(), tenant_id))
    with site_of(slug) as site:
        click.echo(f"{slug} is {site.tenant.standing.value}")


def _reached(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Unavailable as error:
        fail(str(error))
