"""What scripts say, handed to them by the page as JSON (`templates/words.html`): scripts hold no sentences.

A word with a plural is an object of CLDR plural categories, from which the script picks with `Intl.PluralRules`.
"""

from dataclasses import dataclass
from functools import lru_cache

from babel import Locale
from flask import Flask
from flask_babel import get_translations
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from infra.errors import N_
from webapp.language import current

PLURAL_SAMPLES = (*range(200), 1_000_000)
"""Every category that a language has for whole numbers turns up here."""


@dataclass(frozen=True)
class Counted:
    one: str
    many: str


def NN_(one: str, many: str) -> Counted:  # noqa: N802 (gettext's own manner)
    """Marks a sentence with a plural for the translators (babel.cfg)."""
    return Counted(one, many)


SITE: dict[str, str | Counted] = {
    "more-loaded": NN_("%(count)s more photo loaded", "%(count)s more photos loaded"),
    "photo-place": N_("Photo %(place)s of %(all)s"),
    "video-place": N_("Video %(place)s of %(all)s"),
    "place-caption": N_("%(place)s, %(caption)s"),
    "video": N_("Video"),
    "full-screen": N_("Full screen"),
    "full-screen-key": N_("Full screen (f)"),
    "slideshow": N_("Slideshow"),
    "slideshow-key": N_("Slideshow (space)"),
    "slideshow-interval": N_("Time for each photo"),
    "seconds": NN_("%(count)s second", "%(count)s seconds"),
    "play": N_("Play"),
    "pause": N_("Pause"),
    "seek": N_("Position"),
    "mute": N_("Mute"),
    "captions": N_("Captions"),
    "close": N_("Close"),
    "zoom": N_("Zoom"),
    "previous": N_("Previous"),
    "next": N_("Next"),
    "details": N_("Photo details"),
    "details-key": N_("Details (i)"),
    "details-lost": N_("The details could not be loaded."),
    "download": N_("Download original"),
    "favourite": N_("Favourite"),
    "favourite-key": N_("Favourite (f)"),
    "picture-lost": N_("The picture could not be loaded."),
}

DASHBOARD: dict[str, str | Counted] = {
    "done-of": N_("%(done)s of %(of)s"),
    "selected": NN_("%(count)s selected", "%(count)s selected"),
    "moved-to": N_("Moved to place %(place)s of %(all)s."),
    "previous": N_("Previous"),
    "next": N_("Next"),
    "close": N_("Close"),
    "select": N_("Select %(name)s"),
    "copied": N_("Copied"),
    "is-copied": N_("It is copied."),
    "copy": N_("Copy"),
    "unreachable": N_("The server cannot be reached. Check your connection and try again."),
    "failed": N_("That did not work. Please try again."),
    "undo": N_("Undo"),
    "cancel-all": N_("Cancel all"),
    "have-already": NN_("You have this file already:", "You have these %(count)s files already:"),
    "in-this-album": N_("%(name)s: in this album"),
    "in-another-album": N_("%(name)s: in another album"),
    "and-more": NN_("and %(count)s more", "and %(count)s more"),
    "is-included": N_("The plan includes it: nothing is added to this month's bill."),
    "costs-more": N_("Adds about %(amount)s to this month's bill."),
    "ask-price": NN_(
        "This file is beyond what the plan includes. It adds about %(amount)s to this month's bill.",
        "These %(count)s files are beyond what the plan includes. They add about %(amount)s to this month's bill.",
    ),
    "upload": N_("Upload"),
    "skip": N_("Skip"),
    "reuse": NN_("Add without uploading", "Add all without uploading"),
    "upload-anyway": N_("Upload anyway"),
    "waiting": N_("Waiting"),
    "uploaded": N_("Uploaded"),
    "stopped": N_("Stopped"),
    "retry": N_("Retry"),
    "cancel": N_("Cancel"),
    "uploading-one": N_("Uploading %(name)s"),
    "uploads": N_("Uploads"),
    "all-uploaded": NN_("%(count)s file uploaded", "%(count)s files uploaded"),
    "some-stopped": N_("%(failed)s of %(all)s stopped"),
    "uploading": N_("Uploading %(place)s of %(all)s"),
    "checking": NN_("Checking %(count)s file", "Checking %(count)s files"),
    "left-out": NN_(
        "%(count)s file is left out: not a photo or video.", "%(count)s files are left out: not photos or videos."
    ),
    "pick-again": N_("Pick %(names)s again: it goes on where it stopped."),
    "host-answered": N_("The upload host answered %(status)s."),
    "connection-lost": N_("The connection was lost. Retry when you are online."),
    "passkey-cancelled": N_("No passkey was used. Try again, or use your password."),
    "passkey-known": N_("This device has a passkey for your account already."),
    "passkey-failed": N_("Your device could not do that. Use your password."),
}

PAGES = {"site": SITE, "dashboard": DASHBOARD}


def init_app(app: Flask) -> None:
    app.add_template_global(words)


def words(page: str) -> Markup:
    """The sentences of one kind of page in the language of the request as JSON, `%(name)s` still to be filled."""
    return _written(page, str(current()))


@lru_cache(maxsize=64)
def _written(page: str, _locale: str) -> Markup:
    return htmlsafe_json_dumps({key: _translated(word) for key, word in PAGES[page].items()})


def _translated(word: str | Counted) -> str | dict[str, str]:
    catalogue = get_translations()
    if isinstance(word, str):
        return str(catalogue.ugettext(word))
    return {name: str(catalogue.ungettext(word.one, word.many, number)) for name, number in _samples(current())}


@lru_cache
def _samples(locale: Locale) -> tuple[tuple[str, int], ...]:
    """Each plural category of the language, and a number that is of it."""
    return tuple({locale.plural_form(number): number for number in reversed(PLURAL_SAMPLES)}.items())
