"""Every route, asked by everyone who has no business there: nothing of another tenant comes out, and nothing changes.

The routes come from the app's own `url_map`, so a new one is in the matrix on the day it is registered. What is asked
for is always alpha's: its private album, a photo in it, a link to it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import World
from crossing import IN_FRAMES, MARK, Things, rows_of, things
from flask import Flask
from stripe_stage import by_stripe
from visits import ALPHA, BETA, Browser, member, share_link, visitor
from werkzeug.routing import Rule

from infra.settings import Settings
from webapp import csrf
from webapp.host import ANY_HOST

__all__ = ["things"]  # A fixture is found by being here.

REFUSALS = {401, 403, 404, 405}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Paid through Stripe, so that its routes are among the others. Nobody answers there: no stranger gets so far."""
    return by_stripe(settings, "http://127.0.0.1:9")


NOT_THERE = (
    *("site.logo", "site.full_size", "dashboard.invoice", "dashboard.invoice_pdf", "dashboard.bill_parts"),
    "dashboard.archive",
)
"""Of what `Things` has none: a logo, an invoice (tests/unit/test_dashboard_bill.py), an archive (test_data.py)."""


Actor = Callable[[Flask, World], Browser]


def anonymous(web: Flask, world: World) -> Browser:
    return visitor(web, ALPHA)


def neighbour_at_home(web: Flask, world: World) -> Browser:
    """Beta's owner on beta's host, with alpha's ids."""
    return member(web, world.beta, world.bob, BETA)


def neighbours_cookie(web: Flask, world: World) -> Browser:
    """Beta's owner's session on alpha's host."""
    cookie = member(web, world.beta, world.bob, BETA).get_cookie("__Host-session", "beta.localhost")
    assert cookie is not None
    thief = visitor(web, ALPHA)
    thief.set_cookie("__Host-session", cookie.value, domain="alpha.localhost")
    return thief


def neighbours_guest(web: Flask, world: World) -> Browser:
    """Someone whom a share link let in at beta's, on beta's host."""
    guest = visitor(web, BETA)
    assert guest.get(share_link(web, world.beta, world.beta_album)).status_code == 303
    return guest


def neighbours_guest_abroad(web: Flask, world: World) -> Browser:
    """Beta's guest's session on alpha's host."""
    cookie = neighbours_guest(web, world).get_cookie("__Host-session", "beta.localhost")
    assert cookie is not None
    thief = visitor(web, ALPHA)
    thief.set_cookie("__Host-session", cookie.value, domain="alpha.localhost")
    return thief


STRANGERS = [anonymous, neighbour_at_home, neighbours_cookie, neighbours_guest, neighbours_guest_abroad]


def routes(web: Flask, method: str) -> Iterator[Rule]:
    for rule in sorted(web.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        if method in (rule.methods or ()) and rule.endpoint not in ANY_HOST:
            yield rule


def test_the_routes_of_billing_are_in_the_matrix(web: Flask) -> None:
    """They hang on no package's own blueprint: wsgi.py adds them. Only the webhook needs no form token."""
    asked = {rule.endpoint for rule in routes(web, "POST")}
    assert {"stripe_hooks.receive", "billing.to_checkout", "billing.to_plan", "billing.to_portal"} <= asked
    exempt = {name for name, blueprint in web.blueprints.items() if blueprint in csrf._exempt_blueprints}
    assert "stripe_hooks" in exempt and "billing" not in exempt


OWN_AUTHORITY = ("site.media", "site.share", "dashboard.join", "dashboard.reset_password", "embed.gate", *IN_FRAMES)


def carries_own_authority(rule: Rule, browser: Browser) -> bool:
    """On alpha's own host, whoever has a media address, a link's token or a frame's may use it: that is what they are
    for. A grant's key alone opens nothing, and says so with 403 where its sites do not embed it."""
    return browser.origin == ALPHA and rule.endpoint in OWN_AUTHORITY


def refusals(rule: Rule) -> set[int]:
    """Of reading what is not there. The API says first that it knows no session (test_api_crossing.py)."""
    return {401} if rule.endpoint.startswith("api.") else {404}


@pytest.mark.parametrize("actor", STRANGERS)
def test_reading_gives_nothing_away(web: Flask, world: World, things: Things, actor: Actor) -> None:
    browser = actor(web, world)
    wrong: list[str] = []
    asked = 0
    for rule in routes(web, "GET"):
        if carries_own_authority(rule, browser):
            continue
        answer = browser.get(things.path(rule))
        asked += 1
        to_sign_in = answer.status_code == 303 and (answer.location or "").startswith("/dashboard/sign-in")
        if rule.arguments and answer.status_code not in refusals(rule) and not to_sign_in:
            wrong.append(f"{rule.rule}: {answer.status_code}")
        if MARK.encode() in answer.data or MARK in (answer.location or "") or answer.status_code >= 500:
            wrong.append(f"{rule.rule}: {answer.status_code} shows what is alpha's")
    assert wrong == []
    assert asked > 10


@pytest.mark.parametrize("actor", STRANGERS)
def test_writing_is_refused_and_changes_nothing(web: Flask, world: World, things: Things, actor: Actor) -> None:
    browser = actor(web, world)
    before = rows_of(web, world.alpha)
    wrong: list[str] = []
    for rule in routes(web, "POST"):
        if carries_own_authority(rule, browser):
            continue
        answer = browser.post(things.path(rule), data=form(things))
        if rule.arguments and answer.status_code not in REFUSALS:
            wrong.append(f"{rule.rule}: {answer.status_code}")
        if MARK in answer.text or answer.status_code >= 500:
            wrong.append(f"{rule.rule}: {answer.status_code} shows what is alpha's")
    assert wrong == []
    assert rows_of(web, world.alpha) == before


def test_the_owner_gets_through_everywhere(web: Flask, world: World, things: Things) -> None:
    """Or else the refusals above would prove nothing."""
    alice = member(web, world.alpha, world.alice)
    alice.get(f"/s/{things.link_token}")
    refused = []
    for rule in routes(web, "GET"):
        if rule.endpoint.startswith("embed.") and rule.endpoint not in IN_FRAMES:
            continue  # These know no members: a private album is nobody's there (tests/unit/test_embed.py).
        if rule.endpoint.startswith("operator."):
            continue  # No tenant's host has these (tests/unit/test_operator.py).
        if rule.endpoint.startswith("api."):
            continue  # A session is nothing there.
        query = {"size": "original"} if rule.endpoint.startswith("download.") else {}
        answer = alice.get(things.path(rule), query_string=query)
        # Members see no watermark, so they have the original and nothing in its place.
        if answer.status_code >= 400 and rule.endpoint not in NOT_THERE:
            refused.append(f"{rule.rule}: {answer.status_code}")
    assert refused == []


def test_a_viewer_changes_nothing(web: Flask, world: World, things: Things) -> None:
    adam = member(web, world.alpha, world.adam)
    # Adam may sign out and in again, and the audit log says so; like any visitor he may ask to be hidden.
    but = {"members", "member_sessions", "audit_events", "hide_requests"}
    before = rows_of(web, world.alpha, but=but)
    for rule in routes(web, "POST"):
        if rule.endpoint not in ("site.share", "dashboard.join", "dashboard.reset_password"):
            assert adam.post(things.path(rule), data=form(things)).status_code < 500, rule.rule
    assert rows_of(web, world.alpha, but=but) == before


def form(things: Things) -> dict[str, Any]:
    """Fields that the dashboard's forms know, so that they get past validation."""
    return {
        "title": "taken over",
        "caption": "taken over",
        "asset_id": things.asset,
        "asset": things.asset,
        "assets": things.asset,
        "ids": things.asset,
        "after": "",
        "role": "owner",
        "email": "mallory@example.com",
        "name": "Mallory",
        "password": "a long enough password",
        "visibility": "public",
        "ordering": "name",
        "accent": "#ff0000",
        "rights": "download",
        "lifetime": "0",
        "capture": "none",
        "do": "approve",
        "on": "1",
        "hidden": "1",
        "text": "taken over",
        "origins": "https://mallory.example",
        "scope": "site",
        "size": "original",
        "id": things.asset,
    }
