"""What visitors see: the home page, albums, one photo, share links, media."""

from flask import Flask

from webapp.site import (
    adding,
    albums,
    brand,
    guests,
    hiding,
    live,
    media,
    parts,
    photo,
    picks,
    reporting,
    robots,
    search,
    shares,
)
from webapp.site.blueprint import site

VIEWS = (albums, photo, live, search, shares, guests, picks, adding, media, brand, robots, reporting, hiding)
"""Importing them hangs their routes on the blueprint."""


def init_app(app: Flask) -> None:
    """Attach the album site's routes."""
    app.register_blueprint(site)
    parts.init_app(app)
