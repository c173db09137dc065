"""Albums in other sites' pages: oEmbed, the frame, the script. Nothing here reads or sets a cookie."""

from flask import Flask

from webapp.embed import frames, grants, oembed, pictures, script
from webapp.embed.blueprint import embed

VIEWS = (frames, grants, oembed, pictures, script)
"""Importing them hangs their routes on the blueprint."""


def init_app(app: Flask) -> None:
    """Attach the routes of embedding."""
    app.register_blueprint(embed)
