"""The upload fleet: resumable uploads on an endpoint of its own."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Attach the tus routes."""


def register_commands(app: Flask) -> None:
    """`relay`, `sweep`, `import`."""
