"""A tenant's look: style, own CSS, icons, and the card that other sites show of it."""

from flask import Flask

from webapp.brand import icons, style


def init_app(app: Flask) -> None:
    """Attach what templates use."""
    style.init_app(app)
    icons.init_app(app)
