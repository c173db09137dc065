"""What visitors see: the home page, albums, one photo, share links, media."""

from flask import Flask

from webapp.site import albums, live, media, photo, shares
from webapp.site.blueprint import site

__all__ = ["albums", "init_app", "live", "media", "photo", "shares"]


def init_app(app: Flask) -> None:
    """Attach the album site's routes."""
    app.register_blueprint(site)
