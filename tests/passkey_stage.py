"""A member with a passkey, and strangers at the sign-in page who bring an answer, through the real routes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from authenticator_fake import AuthenticatorFake
from conftest import PASSWORD, World
from dashboard_client import Browser
from flask import Flask
from werkzeug.test import TestResponse

from tenants import passkeys, people
from tenants.db import db
from tenants.people import Member
from tenants.scope import Site, open_site

BEGIN, ADD, SIGN_IN = "/dashboard/account/passkeys/begin", "/dashboard/account/passkeys", "/dashboard/sign-in/passkey"


@pytest.fixture
def device(alice: Browser) -> AuthenticatorFake:
    """Alice's, with her passkey for alpha.localhost."""
    made = AuthenticatorFake()
    answer = add(alice, made)
    assert answer.status_code == 200, answer.text
    return made


def add(browser: Browser, device: AuthenticatorFake, name: str = "Phone") -> TestResponse:
    options = browser.post(BEGIN, {"name": name, "current": PASSWORD})
    assert options.status_code == 200, options.text
    return browser.post(ADD, {"name": name, "credential": device.create(options.json)})


def stranger(web: Flask, host: str = "alpha.localhost") -> Browser:
    """A browser at the sign-in page."""
    browser = Browser(web, host)
    browser.get("/dashboard/sign-in")
    return browser


def asked(browser: Browser) -> dict[str, Any]:
    options: dict[str, Any] = browser.get(SIGN_IN, accept="application/json").json
    return options


def answered(browser: Browser, credential: str, *, query: str = "") -> TestResponse:
    return browser.post(SIGN_IN + query, {"credential": credential})


def is_in(browser: Browser) -> bool:
    return browser.get("/dashboard/").status_code == 200


def refused(browser: Browser, credential: str) -> None:
    answer = answered(browser, credential)
    assert answer.status_code == 401, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"] == passkeys.REFUSED
    assert not is_in(browser)


def at(web: Flask, world: World, do: Callable[[Site], Any]) -> Any:
    with web.app_context():
        with open_site(world.alpha) as site:
            found = do(site)
            site.session.commit()
        db.session.remove()
    return found


def member(site: Site, name: str = "alice") -> Member:
    found = people.by_email(site.session, f"{name}@example.com")
    assert found is not None
    return found


def remove(browser: Browser) -> None:
    found = re.search(r"/dashboard/account/passkeys/\w+/remove", browser.get("/dashboard/account").text)
    assert found is not None
    assert browser.submit(found[0]).status_code == 303
