"""Usage to invoice."""

from typing import TYPE_CHECKING

from flask import Flask

from infra.settings import Settings

if TYPE_CHECKING:
    from billing.backend import Routes
    from tenants.margins import Accountant
    from tenants.statements import Statements


def register_commands(app: Flask) -> None:
    from billing import cli, stripe_cli

    cli.register(app)
    stripe_cli.register(cli.group)


def routes(settings: Settings) -> "Routes | None":
    """For the web fleet; None where nobody is paid through here."""
    from billing import backend

    return backend.routes(settings)


def accountant(settings: Settings) -> "Accountant":
    """Who knows what each tenant brings in and costs."""
    from billing.margin import FromLedger

    return FromLedger(settings.aws_prices)


def make_statements() -> "Statements":
    """What the dashboard's pages about use and cost read."""
    from billing.statements import FromLedger

    return FromLedger()
