"""Usage to invoice."""

from flask import Blueprint, Flask

from infra.settings import Settings


def register_commands(app: Flask) -> None:
    from billing import cli, stripe_cli

    cli.register(app)
    stripe_cli.register(cli.group)


def hooks(settings: Settings) -> Blueprint | None:
    """Routes for the web fleet; None while nobody reports here."""
    from billing import backend

    return backend.hooks(settings)
