"""Usage to invoice."""

from typing import TYPE_CHECKING

from flask import Flask

from infra.settings import Settings

if TYPE_CHECKING:
    from tenants.margins import Accountant


def register_commands(app: Flask) -> None:
    from billing.cli import register

    register(app)


def accountant(settings: Settings) -> "Accountant":
    """Who knows what each tenant brings in and costs."""
    from billing.margin import FromLedger

    return FromLedger(settings.aws_prices)
