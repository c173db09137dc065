"""The language of pages: texts go through `_()`, dates and numbers through Babel.

A visitor's own choice (`?lang=`, remembered in a cookie) comes before the tenant's locale, and that before what the
browser asks for. Whatever the order, only languages that are `OFFERED` are answered in.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from babel import Locale, UnknownLocaleError
from flask import Flask, Response, current_app, g, request
from flask_babel import Babel, get_locale, gettext
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from infra.errors import Problem
from infra.settings import Settings
from tenants import reasons

TRANSLATIONS = Path(__file__).parent / "translations"
OFFERED = {"en": "English", "de": "Deutsch", "fr": "Français", "ar": "العربية"}
"""Language tags (BCP 47) by the name that their speakers give them. All but the first have a catalogue."""
DEFAULT = "en"
FOR_VISITORS = frozenset({"ar"})
"""Their catalogues hold what visitors read. The dashboard would be half English, so it is not offered in them."""
_REGION = {"en": "en_GB"}
"""Whose dates are written where a language alone does not say: `3 June`, not `June 3`."""
_YEAR = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["vitrine.settings"]
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.extensions["vitrine.language_cookie"] = "__Host-language" if settings.secure_cookies else "language"
    Babel(app, default_locale=_REGION[DEFAULT], locale_selector=lambda: _formats(locale()))
    app.after_request(_remember)
    app.add_template_filter(translated)
    app.add_template_filter(told_reason)
    app.add_template_global(get_locale)
    app.add_template_global(choices, "language_choices")
    app.jinja_env.policies["ext.i18n.trimmed"] = True


def locale() -> str:
    """Which language this request is answered in: the tag of an offered one."""
    g.language_was_asked = True
    return _best(_is_whole(), _chosen(), _of_tenant(), _wish())


@lru_cache(maxsize=256)
def _best(whole: bool, chosen: str | None, of_tenant: str | None, wish: str) -> str:
    served = _served(whole)
    for wanted in (chosen, of_tenant):
        if wanted in served:
            return str(wanted)
    # Werkzeug's `best_match` prefers a wished `en` to a more wished `de-CH`, for which there is `de`.
    wishes = (offered(tag) for tag, quality in parse_accept_header(wish, LanguageAccept) if quality)
    return next((tag for tag in wishes if tag in served), DEFAULT)


def _wish() -> str:
    return request.headers.get("Accept-Language", "")


def _is_whole() -> bool:
    """Whether the asked page comes in those languages alone that have a whole catalogue."""
    return request.blueprint in ("dashboard", "operator")


def _served(whole: bool) -> list[str]:
    return [tag for tag in OFFERED if not (whole and tag in FOR_VISITORS)]


def current() -> Locale:
    """The locale of the request, or English outside of one."""
    return get_locale() or Locale.parse(_REGION[DEFAULT])


def told(problem: Problem) -> str:
    """The problem's detail in the language of the request; empty if it has none."""
    return str(gettext(problem.sentence, **problem.values)) if problem.sentence else ""


def translated(sentence: str) -> str:
    """A sentence that is not written in the template. `_()` there is for literals only: it takes them for markup and
    for format strings."""
    return str(gettext(sentence)) if sentence else ""


def told_reason(reason: str) -> str:
    """Why a file was refused, as it is stored (`tenants/reasons.py`)."""
    return " ".join(str(gettext(sentence, **values)) for sentence, values in reasons.parts(reason))


@dataclass(frozen=True)
class Choice:
    """One entry of the language menu; `address` is the present page's, relative to it."""

    tag: str
    name: str
    address: str
    current: bool


def choices() -> list[Choice]:
    here, served = current().language, _served(_is_whole())
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return [
        Choice(tag, name, f"?{urlencode([*kept, ('lang', tag)])}", tag == here)
        for tag, name in OFFERED.items()
        if tag in served
    ]


def offered(tag: str | None) -> str | None:
    """The offered language of a tag such as `de`, `de-AT` or `de_AT`; None if there is none."""
    language = (tag or "").replace("_", "-").partition("-")[0].lower()
    return language if language in OFFERED else None


def _chosen() -> str | None:
    cookie = current_app.extensions["vitrine.language_cookie"]
    return offered(request.args.get("lang")) or offered(request.cookies.get(cookie))


def _of_tenant() -> str | None:
    """The tenant's locale where it has set one; a host that is nobody's has none."""
    return offered(g.site.tenant.brand.locale) if "site" in g else None


def _formats(language: str) -> str:
    """The locale that formats dates and numbers: the region that the tenant or the browser names for that language."""
    return _region(language, g.site.tenant.brand.locale if "site" in g else None, _wish())


@lru_cache(maxsize=256)
def _region(language: str, of_tenant: str | None, wish: str) -> str:
    for tag in (of_tenant, *parse_accept_header(wish, LanguageAccept).values()):
        if tag and "-" in tag.replace("_", "-") and offered(tag) == language:
            try:
                return str(Locale.parse(tag.replace("-", "_")))
            except (ValueError, UnknownLocaleError):
                continue
    return _REGION.get(language, language)


def _remember(response: Response) -> Response:
    """Keep a choice for a year, and tell caches what the answer depended on."""
    if g.get("language_was_asked"):
        response.vary.update(["Accept-Language", "Cookie"])
        response.headers.setdefault("Content-Language", current().language)
    chosen = offered(request.args.get("lang"))
    if chosen:
        response.set_cookie(
            current_app.extensions["vitrine.language_cookie"],
            chosen,
            max_age=_YEAR,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return response
