"""The language of pages: texts go through `_()`, dates and numbers through Babel."""

from pathlib import Path

from flask import Flask
from flask_babel import Babel

TRANSLATIONS = Path(__file__).parent / "translations"
DEFAULT = "en"


def init_app(app: Flask) -> None:
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, default_locale=DEFAULT, locale_selector=locale)


def locale() -> str:
    """Which language this request is answered in."""
    return DEFAULT
