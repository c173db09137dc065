"""Signing in with a passkey through the real pages, with a fake authenticator: what does, and what does not."""

from typing import Any

import pytest
from authenticator_fake import PRESENT, AuthenticatorFake
from conftest import World
from dashboard_client import Browser
from flask import Flask
from passkey_stage import add, answered, asked, at, device, is_in, member, refused, remove, stranger
from sqlalchemy import delete, select, update

from tenants import claims, passkeys
from tenants.audit import AuditEvent
from tenants.db import across_tenants, db
from tenants.passkeys import Passkey, SpentChallenge
from tenants.registry import Tenant, TenantState

__all__ = ["device"]  # Fixtures are found by being here.


def logged(web: Flask, world: World, action: str) -> list[tuple[str, str]]:
    """Who, and about what."""
    found = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
    return at(web, world, lambda site: [(each.who, each.about) for each in site.session.scalars(found)])


@pytest.mark.every_database
def test_a_passkey_signs_in_and_is_both_factors(
    alice: Browser, device: AuthenticatorFake, web: Flask, world: World
) -> None:
    at(web, world, lambda site: setattr(member(site), "totp_sealed", "a second factor is on"))
    other = stranger(web)
    assert '<meta name="csrf-token"' in other.get("/dashboard/sign-in").text, "the script sends it"
    options = asked(other)
    assert options["rpId"] == "alpha.localhost"
    assert options["userVerification"] == "required"
    assert options["allowCredentials"] == []
    answer = answered(other, device.get(options), query="?next=/dashboard/trash")
    assert answer.json == {"location": "/dashboard/trash"}
    assert is_in(other)
    assert logged(web, world, "passkey.added") == [("alice@example.com", "Phone")]
    assert logged(web, world, "session.begun")[-1] == ("alice@example.com", "Phone")
    page = alice.get("/dashboard/account").text
    assert "For alpha.localhost" in page and "not used yet" not in page


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://beta.localhost"},
        {"origin": "http://alpha.localhost"},
        {"origin": "https://alpha.localhost:8443"},
        {"rp": "beta.localhost"},
        {"rp": "localhost"},
        {"flags": PRESENT},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"cross": True},
    ],
    ids=str,
)
def test_a_lie_neither_adds_nor_signs_in(
    alice: Browser, device: AuthenticatorFake, web: Flask, lie: dict[str, Any]
) -> None:
    second = AuthenticatorFake(says=lie)
    assert add(alice, second).status_code == 422
    device.says = lie
    browser = stranger(web)
    refused(browser, device.get(asked(browser)))
    device.says = {}
    assert answered(browser, device.get(asked(browser))).status_code == 200


@pytest.mark.every_database
def test_a_challenge_is_good_once_and_in_its_own_session(device: AuthenticatorFake, web: Flask, world: World) -> None:
    browser = stranger(web)
    options = asked(browser)
    cookie, token = browser.cookies.get_cookie("__Host-session", "alpha.localhost"), browser.token
    given = device.get(options)
    assert answered(browser, given).status_code == 200
    again = Browser(web)  # With the cookie as it was before: the challenge is in it, signed.
    again.cookies.set_cookie("__Host-session", cookie.value, domain="alpha.localhost", secure=True)
    again.token = token
    refused(again, given)
    other = stranger(web)
    asked(other)
    refused(other, given)
    nobody = stranger(web)
    assert answered(nobody, device.get(options)).status_code == 401, "it was never asked"
    spent = at(web, world, lambda site: len(site.session.scalars(select(SpentChallenge)).all()))
    assert spent == 2


def test_a_challenge_is_short_lived(device: AuthenticatorFake, web: Flask) -> None:
    browser = stranger(web)
    options = asked(browser)
    assert asked(browser)["challenge"] == options["challenge"], "another tab's stays good"
    with browser.cookies.session_transaction(base_url="https://alpha.localhost") as session:
        kept, until, whose = session["challenge"]
        session["challenge"] = [kept, until - passkeys.LIFETIME.total_seconds(), whose]
    answer = answered(browser, device.get(options))
    assert answer.status_code == 401
    assert answer.json["detail"] == "That took too long. Please try again."
    late = asked(browser)
    assert late["challenge"] != options["challenge"]
    assert answered(browser, device.get(late)).status_code == 200


def test_a_passkey_works_at_its_host_alone(alice: Browser, device: AuthenticatorFake, web: Flask, world: World) -> None:
    """A tenant that moves to a domain of its own: the passkey stays where it was made, and the page says so."""
    at(
        web,
        world,
        lambda site: claims.vouch(site.session, site.tenant, "photos.example.com", "localhost", now=site.now()),
    )
    moved = stranger(web, "photos.example.com")
    lying = AuthenticatorFake(
        origin="https://photos.example.com",
        key=device.key,
        credential_id=device.credential_id,
        handle=device.handle,
        rp="photos.example.com",
    )
    refused(moved, lying.get(asked(moved)))
    assert moved.sign_in("alice").status_code == 303
    assert "(not for photos.example.com)" in moved.get("/dashboard/account").text
    own = AuthenticatorFake(origin="https://photos.example.com")
    assert add(moved, own, "At photos").status_code == 200
    back = stranger(web, "photos.example.com")
    assert answered(back, own.get(asked(back))).status_code == 200


def test_the_name_in_the_answer_is_the_members(device: AuthenticatorFake, web: Flask) -> None:
    browser = stranger(web)
    device.handle = b"somebody else"
    refused(browser, device.get(asked(browser)))


@pytest.mark.every_database
def test_a_counter_that_goes_back_is_refused_and_told(device: AuthenticatorFake, web: Flask, world: World) -> None:
    browser = stranger(web)
    device.count = 7
    assert answered(browser, device.get(asked(browser))).status_code == 200
    for count in (8, 3):  # What a copy would say: as high as the last one, and lower.
        device.count = count - 1
        other = stranger(web)
        refused(other, device.get(asked(other)))
    device.count = 8
    assert answered(other, device.get(asked(other))).status_code == 200
    assert logged(web, world, "passkey.suspected") == [("alice@example.com", "Phone")] * 2


def test_a_device_that_counts_nothing_is_good(alice: Browser, web: Flask) -> None:
    device = AuthenticatorFake(counts=False)
    assert add(alice, device).status_code == 200
    for _ in range(2):
        browser = stranger(web)
        assert answered(browser, device.get(asked(browser))).status_code == 200


@pytest.mark.every_database
def test_a_removed_passkey_and_a_removed_member_are_refused(
    alice: Browser, device: AuthenticatorFake, web: Flask, world: World
) -> None:
    remove(alice)
    browser = stranger(web)
    refused(browser, device.get(asked(browser)))
    adam, his = Browser(web), AuthenticatorFake()
    adam.sign_in("adam")
    adam.get("/dashboard/account")
    assert add(adam, his).status_code == 200
    assert alice.submit(f"/dashboard/members/{world.adam}/remove").status_code == 303
    refused(browser, his.get(asked(browser)))
    assert at(web, world, lambda site: site.session.scalars(select(Passkey)).all()) == []


def test_a_suspended_tenant_lets_nobody_in(device: AuthenticatorFake, web: Flask, world: World) -> None:
    browser = stranger(web)
    given = device.get(asked(browser))
    suspend = update(Tenant).where(Tenant.id == world.alpha).values(state=TenantState.SUSPENDED)
    at(web, world, lambda site: site.session.execute(suspend))
    answer = answered(browser, given)
    assert answer.status_code == 403
    assert "paused" in answer.text


def test_many_refusals_have_to_wait(web: Flask, world: World) -> None:
    browser = stranger(web)
    answers = [answered(browser, "nonsense").status_code for _ in range(61)]
    assert answers == [401] * 60 + [429]


@pytest.mark.every_database
def test_a_tenant_that_goes_takes_its_passkeys_along(device: AuthenticatorFake, web: Flask, world: World) -> None:
    browser = stranger(web)
    assert answered(browser, device.get(asked(browser))).status_code == 200
    with web.app_context(), across_tenants(db.session(), "a test"):
        for left in (1, 0):
            assert len(db.session.scalars(select(Passkey)).all()) == left
            assert len(db.session.scalars(select(SpentChallenge)).all()) == 2 * left
            db.session.execute(delete(Tenant).where(Tenant.id == world.alpha))
            db.session.commit()
        db.session.remove()
