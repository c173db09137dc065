"""The processor fleet: queue to RQ, and what is done with a photo or a video."""

from flask import Flask


def register_commands(app: Flask) -> None:
    """`bridge`, `worker`, `reconcile`, `redrive`."""
    from processor import cli

    cli.register(app)
