"""A forgotten password: the letter, its address, and that asking tells nobody who is a member; and the letters about
what was changed."""

import re
from datetime import timedelta

import pytest
from authenticator_fake import AuthenticatorFake
from conftest import PASSWORD, World
from dashboard_client import Browser
from flask import Flask
from mail_folder import letters
from passkey_stage import device, remove

from infra.errors import Unavailable
from infra.local.letterbox import FolderMail
from infra.ports import Letter
from infra.settings import Settings
from tenants import people, resetting
from tenants.people import Member
from tenants.scope import open_site, secret

__all__ = ["device"]  # Fixtures are found by being here.
NEW = "another long password"
ASK = "/dashboard/forgotten"


def ask(browser: Browser, email: str = "alice@example.com") -> str:
    browser.get(ASK)
    answer = browser.submit(ASK, {"email": email})
    assert answer.status_code == 200
    return answer.text.replace(email, "…").replace(browser.token, "…")


def way_in(letter: str) -> str:
    found = re.search(r"//alpha\.localhost[^/]*(/dashboard/reset/\S+)", letter)
    assert found is not None, letter
    return found[1]


def choose(browser: Browser, path: str, password: str = NEW) -> int:
    browser.get(ASK)  # Where a form's token is, also when the address is over.
    return browser.submit(path, {"password": password}).status_code


@pytest.fixture
def anyone(web: Flask) -> Browser:
    return Browser(web)


@pytest.mark.every_database
def test_the_letter_leads_to_a_new_password(alice: Browser, anyone: Browser, web: Flask, settings: Settings) -> None:
    assert ASK in anyone.get("/dashboard/sign-in").text
    ask(anyone, " Alice@Example.com ")
    (letter,) = letters(settings)
    assert letter.startswith("alice@example.com\nA new password for Alpha\n")
    path = way_in(letter)
    page = anyone.get(path)
    assert "alice@example.com" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer" and "no-store" in page.headers["Cache-Control"]
    assert choose(anyone, path, "short") == 422
    assert choose(anyone, path) == 303
    assert alice.get("/dashboard/account").status_code == 303, "other devices are signed out"
    assert Browser(web).sign_in("alice", PASSWORD).status_code == 401
    assert Browser(web).sign_in("alice", NEW).status_code == 303
    assert choose(anyone, path, "a third long password") == 404, "it works once"
    assert "by the address in a letter to you" in letters(settings)[1]


def test_the_second_factor_is_still_asked_for(web: Flask, world: World, anyone: Browser, settings: Settings) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Member, (world.alpha, world.alice)).totp_sealed = "a second factor is on"
        site.session.commit()
    ask(anyone)
    assert choose(anyone, way_in(letters(settings)[-1])) == 303
    assert Browser(web).sign_in("alice", NEW).location.startswith("/dashboard/sign-in/code")


def test_asking_does_not_tell_who_is_a_member(web: Flask, settings: Settings) -> None:
    known = ask(Browser(web))
    assert len(letters(settings)) == 1
    for other in ("nobody@example.com", "bob@example.com"):  # Bob is another tenant's.
        assert re.sub(r"value=\"[^\"]*\"|nonce-[^\" ]+", "", ask(Browser(web), other)) == re.sub(
            r"value=\"[^\"]*\"|nonce-[^\" ]+", "", known
        )
    assert len(letters(settings)) == 1


def test_an_address_gets_a_few_letters_an_hour(web: Flask, settings: Settings) -> None:
    for _ in range(5):
        ask(Browser(web))
    late = Browser(web)
    late.get(ASK)
    assert late.submit(ASK, {"email": "ALICE@example.com"}).status_code == 429
    assert len(letters(settings)) == 5
    ask(late, "adam@example.com")


def test_the_address_ends(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        alice: Member = site.session.get_one(Member, (world.alpha, world.alice))
        now = site.now()
        token = resetting.token(secret(), alice, now=now)

        def finds(given: str = token, *, at: timedelta = timedelta(), key: str = "") -> bool:
            return resetting.find(site.session, world.alpha, key or secret(), given, now=now + at) is not None

        assert finds(at=resetting.LIFETIME - timedelta(seconds=1))
        assert not finds(at=resetting.LIFETIME)
        assert not finds(key="another deployment's")
        for given in ("", "nonsense", token[:-1], token + "x", f"{token.partition('.')[0]}.x", "WzFd.x", "bnVsbA.x"):
            assert not finds(given), given
        alice.signed_in_at = now
        assert not finds(), "whoever signs in has not forgotten it"
        fresh = resetting.token(secret(), alice, now=now)
        site.session.rollback()
    with open_site(world.beta) as site:
        for given in (token, fresh):
            assert resetting.find(site.session, world.beta, secret(), given, now=now) is None


def test_of_a_member_who_is_gone_nothing_is_left(web: Flask, world: World, anyone: Browser, settings: Settings) -> None:
    ask(anyone, "adam@example.com")
    with web.app_context(), open_site(world.alpha) as site:
        adam: Member = site.session.get_one(Member, (world.alpha, world.adam))
        people.remove(site.session, adam)
        site.session.commit()
    assert choose(anyone, way_in(letters(settings)[0])) == 404


def test_a_mail_server_that_takes_nothing_is_nobodys_error(
    anyone: Browser, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: object, _letter: Letter) -> None:
        raise Unavailable("no")

    monkeypatch.setattr(FolderMail, "send", refuse)
    assert "a letter with a way to a new password" in ask(anyone)
    assert letters(settings) == []


def test_whoever_changes_how_they_sign_in_hears_of_it(
    alice: Browser, device: AuthenticatorFake, settings: Settings
) -> None:
    def last() -> str:
        return letters(settings)[-1]

    assert "How you sign in to Alpha was changed" in last() and "A passkey was added" in last()
    assert alice.place in last() and "//alpha.localhost" in last()
    remove(alice)
    assert "A passkey was removed" in last()
    alice.get("/dashboard/account")
    assert alice.submit("/dashboard/account", {"current": PASSWORD, "password": NEW}).status_code == 303
    assert "Your password was changed." in last()
    assert len(letters(settings)) == 3
