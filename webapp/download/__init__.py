"""Whole albums and selections as ZIP files, at any size, from any byte on."""

from flask import Flask

from webapp.download import routes
from webapp.download.slots import Slots


def init_app(app: Flask) -> None:
    """Attach the download pages and count what is under way in this process."""
    app.extensions["vitrine.downloads"] = Slots(app.extensions["vitrine.settings"].downloads_at_once)
    app.register_blueprint(routes.download)
