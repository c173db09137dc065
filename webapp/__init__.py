"""The web fleet: tenant sites, dashboard, API, embeds."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Attach every route of the web fleet."""
