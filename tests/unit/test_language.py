"""Which language a page comes in, and that the catalogues say everything that pages say."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.pofile import read_po
from conftest import World
from flask import Flask
from visits import visitor

from infra.errors import N_, Problem
from webapp import language, words
from webapp.site import dates
from webapp.words import DASHBOARD, PAGES, SITE, Counted

ROOT = Path(__file__).parents[2]
COMPLETE = ("de", "fr")
TRANSLATED = [tag for tag in language.OFFERED if tag != language.DEFAULT]
PLACEHOLDER = re.compile(r"%\(\w+\)s|</?\w+")
FOR_VISITORS = (
    "webapp/site/",
    "webapp/embed/",
    "webapp/download/",
    "webapp/templates/site/",
    "webapp/templates/embed/",
    "webapp/templates/base",
    "webapp/templates/problem",
    "infra/",
)
Sentence = str | tuple[str, ...]


def extracted() -> dict[Sentence, set[str]]:
    """Every sentence that is marked in the sources, with the files that say it; as `make translations` finds them."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file, filename="babel.cfg")
    asked = re.search(r"^KEYWORDS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert asked
    usual = "_ gettext ngettext:1,2 ugettext ungettext:1,2 pgettext:1c,2 npgettext:1c,2,3 dngettext:2,3 dgettext:2 N_"
    keywords = parse_keywords([*usual.split(), *asked.group(1).replace("-k ", "").split()])
    found: dict[Sentence, set[str]] = {}
    for folder in ("webapp", "tenants", "infra", "processor", "billing"):
        inside = [
            (pattern.removeprefix(f"{folder}/"), method) for pattern, method in methods if pattern.startswith(folder)
        ]
        given = {pattern.removeprefix(f"{folder}/"): value for pattern, value in options.items()}
        for file_name, _line, message, _notes, _context in extract_from_dir(
            ROOT / folder, inside, given, keywords=keywords
        ):
            found.setdefault(message, set()).add(f"{folder}/{file_name}")
    return found


def catalogue(tag: str) -> Catalog:
    with (language.TRANSLATIONS / tag / "LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale=tag)


def of_scripts(page: dict[str, str | Counted]) -> set[Sentence]:
    return {word if isinstance(word, str) else (word.one, word.many) for word in page.values()}


@pytest.fixture(scope="module")
def sources() -> dict[Sentence, set[str]]:
    return extracted()


@pytest.mark.parametrize("tag", TRANSLATED)
def test_catalogues_hold_what_the_sources_say(tag: str, sources: dict[Sentence, set[str]]) -> None:
    held = {message.id for message in catalogue(tag) if message.id}
    assert held == set(sources), "run `make translations`"


@pytest.mark.parametrize("tag", TRANSLATED)
def test_nothing_is_missing_or_unsure(tag: str, sources: dict[Sentence, set[str]]) -> None:
    """German and French say everything; Arabic everything that visitors read."""
    needed = set(sources)
    if tag not in COMPLETE:
        files = {sentence for sentence, where in sources.items() if any(f.startswith(FOR_VISITORS) for f in where)}
        needed = files | of_scripts(SITE)
    missing = []
    for message in catalogue(tag):
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and message.id in needed and (message.fuzzy or not all(strings)):
            missing.append(message.id)
    assert missing == []


@pytest.mark.parametrize("tag", TRANSLATED)
def test_placeholders_and_markup_are_kept(tag: str) -> None:
    wrong = []
    for message in catalogue(tag):
        if not message.id or not message.string:
            continue
        asked = message.id if isinstance(message.id, tuple) else (message.id,)
        wanted = set(PLACEHOLDER.findall(asked[-1]))
        for string in message.string if isinstance(message.string, tuple) else (message.string,):
            used = set(PLACEHOLDER.findall(string))
            # A form for exactly one or two may say the number in a word.
            numbers = {"%(count)s", "%(num)s"} & wanted
            if string and used != wanted and not (isinstance(message.id, tuple) and used | numbers == wanted):
                wrong.append((message.id, string))
    assert wrong == []


def test_scripts_say_only_what_the_page_gives_them() -> None:
    front = ROOT / "webapp/front"
    said = {path: set(re.findall(r'\bsay\(\s*"([\w-]+)"', path.read_text())) for path in front.rglob("*.ts")}
    for path, keys in said.items():
        known = DASHBOARD if "dashboard" in path.relative_to(front).parts else SITE
        assert keys <= set(known), path
    assert set().union(*said.values()) > {"undo", "slideshow", "play"}


def ask(web: Flask, path: str = "/", **headers: str) -> tuple[str, str]:
    """Language and direction of the page."""
    page = visitor(web).get(path, headers={name.replace("_", "-"): value for name, value in headers.items()}).text
    found = re.search(r'<html lang="([\w-]+)" dir="(\w+)"', page)
    assert found
    return found.group(1), found.group(2)


@pytest.mark.parametrize(
    ("wished", "got"),
    [
        ("de", ("de", "ltr")),
        ("de-CH,en;q=0.5", ("de", "ltr")),
        ("nl,fr;q=0.7,en;q=0.3", ("fr", "ltr")),
        ("ar-EG", ("ar", "rtl")),
        ("tlh", ("en", "ltr")),
        ("*", ("en", "ltr")),
        ("not a language;;q=z", ("en", "ltr")),
        ("", ("en", "ltr")),
    ],
)
def test_the_browsers_wish_is_met_as_far_as_it_can_be(
    web: Flask, world: World, wished: str, got: tuple[str, str]
) -> None:
    assert ask(web, Accept_Language=wished) == got


def test_a_choice_comes_before_the_browsers_wish_and_is_kept(web: Flask, world: World) -> None:
    browser = visitor(web)
    chosen = browser.get("/?lang=fr", headers={"Accept-Language": "de"})
    assert '<html lang="fr"' in chosen.text
    assert "Lax" in chosen.headers["Set-Cookie"] and "HttpOnly" in chosen.headers["Set-Cookie"]
    assert '<html lang="fr"' in browser.get("/", headers={"Accept-Language": "de"}).text


@pytest.mark.parametrize("odd", ["xx", "../../etc", "de%0d%0aX: y", "", "%00"])
def test_an_odd_choice_is_no_choice(web: Flask, world: World, odd: str) -> None:
    answer = visitor(web).get(f"/?lang={odd}", headers={"Accept-Language": "fr"})
    assert '<html lang="fr"' in answer.text
    assert "language" not in answer.headers.get("Set-Cookie", "")


def test_caches_are_told_what_the_answer_depended_on(web: Flask, world: World) -> None:
    page = visitor(web).get("/", headers={"Accept-Language": "de"})
    assert {"Accept-Language", "Cookie", "Host"} <= set(page.headers["Vary"].replace(" ", "").split(","))
    assert page.headers["Content-Language"] == "de"
    assert "Accept-Language" not in visitor(web).get("/healthz").headers.get("Vary", "")


def test_the_dashboard_is_not_half_translated(web: Flask, world: World) -> None:
    assert ask(web, "/dashboard/sign-in", Accept_Language="ar, de;q=0.5") == ("de", "ltr")


def test_refusals_speak_the_language_too(web: Flask, world: World) -> None:
    refused = visitor(web).get("/a/none", headers={"Accept": "application/json", "Accept-Language": "de"})
    assert json.loads(refused.text)["title"] == "Hier ist nichts"
    with web.test_request_context(headers={"Accept-Language": "fr"}):
        problem = Problem("invalid", N_("Up to %(most)s tags, please."), values={"most": 30})
        assert language.told(problem).startswith("Jusqu’à 30")
        assert language.told(Problem("not-found")) == ""


def test_scripts_get_every_plural_of_the_language(web: Flask, world: World) -> None:
    with web.test_request_context(headers={"Accept-Language": "ar"}):
        seconds = json.loads(words.words("site"))["seconds"]
        assert set(seconds) == {"zero", "one", "two", "few", "many", "other"}
    for page in PAGES:
        with web.test_request_context(headers={"Accept-Language": "de"}):
            assert "%(num)s" not in words.words(page)


def test_dates_and_numbers_are_written_as_the_region_does(web: Flask, world: World) -> None:
    noon = datetime(2024, 6, 3, 12, 5, tzinfo=UTC)
    for wished, day in (
        ("en", "3 June 2024"),
        ("en-US", "June 3, 2024"),
        ("de", "3. Juni 2024"),
        ("fr", "3 juin 2024"),
    ):
        with web.test_request_context(headers={"Accept-Language": wished}):
            assert dates.day(noon) == day


def test_templates_translate_literals_only() -> None:
    """`_()` in a template marks its result as markup: a stored sentence must go through the filter `translated`."""
    calls = re.compile(r"\b(?:_|gettext|ngettext)\(\s*([^\s])")
    found = {
        path.name: [start for start in calls.findall(path.read_text()) if start not in "\"'"]
        for path in (ROOT / "webapp/templates").rglob("*.html")
    }
    assert {name: starts for name, starts in found.items() if starts} == {}


def test_a_stored_reason_is_text(web: Flask, world: World) -> None:
    with web.test_request_context(headers={"Accept-Language": "de"}):
        shown = web.jinja_env.from_string("{{ reason|translated }}").render(reason="<b>100 %</b> is too much")
        assert shown == "&lt;b&gt;100 %&lt;/b&gt; is too much"


def test_a_long_wish_is_heard_to_its_end(web: Flask, world: World) -> None:
    """Nor is it cut where the rest would mean something else: `ar;q=0.1` is the least that is wished for here."""
    unknown = ",".join(f"x{number}" for number in range(60))
    cut_at_128 = f"de;q=0.5,{'x' * 116},ar;q=0.1"
    for wish, answer in ((f"{unknown},fr;q=0.9", "fr"), (cut_at_128, "de")):
        assert len(wish) > 128
        assert f'<html lang="{answer}"' in visitor(web).get("/", headers={"Accept-Language": wish}).text
