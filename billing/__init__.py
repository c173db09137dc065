"""Usage to invoice."""

from flask import Flask


def register_commands(app: Flask) -> None:
    from billing.cli import register

    register(app)
