"""Usage to invoice."""

from typing import TYPE_CHECKING

from flask import Flask

from infra.settings import Settings

if TYPE_CHECKING:
    from billing.backend import Routes


def register_commands(app: Flask) -> None:
    from billing import cli, stripe_cli

    cli.register(app)
    stripe_cli.register(cli.group)


def routes(settings: Settings) -> "Routes | None":
    """For the web fleet; None where nobody is paid through here."""
    from billing import backend

    return backend.routes(settings)
