"""What visitors see: the home page, albums, one photo, share links, media."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Attach the album site's routes."""
