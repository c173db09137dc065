"""Passkeys in a member's account, with a fake authenticator: adding, renaming, losing them; and nonsense."""

import json

import pytest
from authenticator_fake import AuthenticatorFake
from conftest import PASSWORD, World
from dashboard_client import Browser
from flask import Flask
from passkey_stage import (
    ADD,
    BEGIN,
    answered,
    asked,
    at,
    device,
    is_in,
    member,
    refused,
    remove,
    stranger,
)
from sqlalchemy import select

from tenants import passkeys, people
from tenants.passkeys import Passkey

__all__ = ["device"]  # Fixtures are found by being here.


def test_what_is_made_is_discoverable_and_says_nothing_of_the_member(alice: Browser, world: World) -> None:
    options = alice.post(BEGIN, {"name": "Phone", "current": PASSWORD})
    assert options.headers["Cache-Control"] == "no-store"
    assert options.json["rp"] == {"name": "Alpha", "id": "alpha.localhost"}
    assert options.json["authenticatorSelection"]["residentKey"] == "required"
    assert options.json["authenticatorSelection"]["userVerification"] == "required"
    assert world.alice not in json.dumps(options.json["user"]["id"])
    assert options.json["attestation"] == "none"


def test_adding_asks_for_the_password_first(alice: Browser) -> None:
    answer = alice.post(BEGIN, {"name": "Phone", "current": "not the password"})
    assert answer.status_code == 422
    assert answer.json["field"] == "current"
    device = AuthenticatorFake()
    handed = {"challenge": "AAAA", "user": {"id": "AAAA"}, "rp": {"id": "alpha.localhost"}}
    assert alice.post(ADD, {"name": "Phone", "credential": device.create(handed)}).status_code == 422


def test_a_removed_passkey_does_not_come_back_by_replay(alice: Browser, web: Flask) -> None:
    device = AuthenticatorFake()
    options = alice.post(BEGIN, {"name": "Phone", "current": PASSWORD}).json
    cookie = alice.cookies.get_cookie("__Host-session", "alpha.localhost")
    given = {"name": "Phone", "credential": device.create(options)}
    assert alice.post(ADD, given).status_code == 200
    remove(alice)
    alice.cookies.set_cookie("__Host-session", cookie.value, domain="alpha.localhost", secure=True)
    assert alice.post(ADD, given).status_code == 401
    assert "You have no passkeys yet." in alice.get("/dashboard/account").text


def test_nobody_has_another_members_passkey(
    alice: Browser, device: AuthenticatorFake, web: Flask, world: World
) -> None:
    (passkey_id,) = at(web, world, lambda site: site.session.scalars(select(Passkey.id)).all())
    adam = Browser(web)
    adam.sign_in("adam")
    adam.get("/dashboard/account")
    for what in ("rename", "remove"):
        assert adam.post(f"{ADD}/{passkey_id}/{what}", {"name": "Mine now"}).status_code == 404
    assert alice.submit(f"{ADD}/{passkey_id}/rename", {"name": "Old phone"}).status_code == 303
    assert "Old phone" in alice.get("/dashboard/account").text
    assert alice.post(f"{ADD}/{passkey_id}/rename", {"name": " "}).status_code == 422


@pytest.mark.every_database
def test_the_same_key_is_not_added_twice(alice: Browser, device: AuthenticatorFake) -> None:
    options = alice.post(BEGIN, {"name": "Again", "current": PASSWORD}).json
    assert [each["type"] for each in options["excludeCredentials"]] == ["public-key"]
    assert alice.post(ADD, {"name": "Again", "credential": device.create(options)}).status_code == 409


def test_a_lost_phone_is_reset_with_its_passkeys(device: AuthenticatorFake, web: Flask, world: World) -> None:
    at(web, world, lambda site: setattr(member(site, "adam"), "role", people.Role.OWNER))
    adam = Browser(web)
    adam.sign_in("adam")
    adam.get("/dashboard/members")
    assert adam.submit(f"/dashboard/members/{world.alice}/reset-two-factor").status_code == 303
    browser = stranger(web)
    refused(browser, device.get(asked(browser)))


def test_passkeys_outlast_a_password_and_the_page_says_so(
    alice: Browser, device: AuthenticatorFake, web: Flask
) -> None:
    browser = stranger(web)
    assert answered(browser, device.get(asked(browser))).status_code == 200
    new = {"current": PASSWORD, "password": "another long password"}
    assert alice.submit("/dashboard/account", new).status_code == 303
    assert "Your passkeys still sign in." in alice.get("/dashboard/account").text
    assert not is_in(browser)
    back = stranger(web)
    assert answered(back, device.get(asked(back))).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        "[" * 15_000,
        "x" * 30_000,
        '{"id":"a","rawId":"a","type":"public-key","response":{}}',
    ],
    ids=["empty", "text", "list", "bare", "deep", "long", "hollow"],
)
def test_nonsense_is_refused_not_stumbled_over(alice: Browser, web: Flask, given: str) -> None:
    browser = stranger(web)
    asked(browser)
    refused(browser, given)
    alice.post(BEGIN, {"name": "Phone", "current": PASSWORD})
    assert alice.post(ADD, {"name": "Phone", "credential": given}).status_code == 422


def test_broken_parts_are_refused(alice: Browser, device: AuthenticatorFake, web: Flask) -> None:
    browser = stranger(web)
    for part in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        for broken in ("", "!!", "AAAA", "W10", 7):
            answer = json.loads(device.get(asked(browser)))
            answer["response"][part] = broken
            refused(browser, json.dumps(answer))
    for part in ("clientDataJSON", "attestationObject"):
        for broken in ("", "!!", "AAAA", "W10", 7):
            options = alice.post(BEGIN, {"name": "Phone", "current": PASSWORD}).json
            made = json.loads(AuthenticatorFake().create(options))
            made["response"][part] = broken
            assert alice.post(ADD, {"name": "Phone", "credential": json.dumps(made)}).status_code == 422


def test_no_more_than_so_many(alice: Browser, device: AuthenticatorFake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "MOST", 1)
    assert alice.post(BEGIN, {"name": "Phone", "current": PASSWORD}).status_code == 409
