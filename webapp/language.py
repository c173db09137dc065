"""The language of pages: texts go through `_()`, dates and numbers through Babel."""

from pathlib import Path

from babel import Locale
from flask import Flask, g
from flask_babel import Babel

TRANSLATIONS = Path(__file__).parent / "translations"
DEFAULT = "en"
OFFERED = {"en": "English", "de": "Deutsch", "fr": "Français"}
"""Languages that a tenant may choose for its pages: language tag (BCP 47) to the language's name in itself."""


def init_app(app: Flask) -> None:
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, default_locale=DEFAULT, locale_selector=locale)
    app.add_template_global(locale, "page_language")
    app.add_template_global(direction, "page_direction")


def locale() -> str:
    """Which language this request is answered in: the tenant's; on a host that is nobody's, English."""
    chosen = g.site.tenant.brand.locale if "site" in g else DEFAULT
    return chosen if chosen in OFFERED else DEFAULT


def direction() -> str:
    """`ltr` or `rtl`."""
    return str(Locale.parse(locale(), sep="-").text_direction)
