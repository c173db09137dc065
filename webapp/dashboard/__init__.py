"""What members see: albums, uploads, sharing, the brand, people."""

from flask import Flask

from webapp.dashboard import (
    account,
    albums,
    assets,
    bill,
    brand,
    domains,
    embeds,
    exports,
    guests,
    hooks,
    members,
    newsroom,
    order,
    pictures,
    privacy,
    progress,
    shares,
    sign_in,
    tokens,
    trash,
    uploads,
    watermark,
)
from webapp.dashboard.mount import bp

VIEWS = (
    *(sign_in, account, albums, assets, order, uploads, progress, shares, embeds, guests, exports, newsroom),
    *(trash, brand, watermark, domains, privacy, members, bill, tokens, hooks, pictures),
)
"""Importing them hangs their routes and template functions on the blueprint."""


def init_app(app: Flask) -> None:
    """Attach the dashboard's routes."""
    app.register_blueprint(bp)
