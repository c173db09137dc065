"""What members see: albums, uploads, sharing, the brand, people."""

from flask import Flask

from webapp.dashboard import (
    account,
    albums,
    amounts,
    announcements,
    assets,
    bill,
    brand,
    bulk,
    copies,
    data,
    domains,
    embeds,
    exports,
    forgotten,
    guests,
    guide,
    hooks,
    joining,
    logbook,
    members,
    newsroom,
    order,
    passkey_sign_in,
    passkeys,
    pictures,
    plan,
    privacy,
    progress,
    requests,
    shares,
    sign_in,
    support,
    tokens,
    trash,
    two_factor,
    uploads,
    visits,
    watermark,
)
from webapp.dashboard.mount import bp

VIEWS = (
    *(sign_in, forgotten, joining, account, two_factor, passkeys, passkey_sign_in),
    *(albums, assets, bulk, copies, order, uploads, progress, shares, embeds),
    *(guests, exports, newsroom, trash, brand, watermark, domains, privacy, members, bill, plan, amounts, logbook),
    *(requests, data, visits, guide, support, announcements, tokens, hooks, pictures),
)
"""Importing them hangs their routes and template functions on the blueprint."""


def init_app(app: Flask) -> None:
    """Attach the dashboard's routes."""
    app.register_blueprint(bp)
