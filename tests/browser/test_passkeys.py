"""Passkeys in a real Chromium, whose own virtual authenticator makes and uses them (CDP, WebAuthn domain)."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import PASSWORD, World
from dashboard_stage import sign_in
from flask import Flask
from playwright.sync_api import CDPSession, Page, expect

pytestmark = pytest.mark.browser

NewPage = Callable[..., Page]
Check = Callable[[Page], None]


def authenticator(page: Page, *, verified: bool = True) -> tuple[CDPSession, str]:
    """Plugged into the page: keeps passkeys, and knows who holds it if `verified`."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verified,
        "automaticPresenceSimulation": True,
    }
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools, made["authenticatorId"]


def held(devtools: CDPSession, authenticator_id: str) -> list[dict[str, Any]]:
    found = devtools.send("WebAuthn.getCredentials", {"authenticatorId": authenticator_id})
    credentials: list[dict[str, Any]] = found["credentials"]
    return credentials


def add_by_keyboard(page: Page) -> None:
    page.get_by_role("link", name="Add a passkey").press("Enter")
    page.get_by_label("Name").fill("The office laptop")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The office laptop")).to_be_visible()


def test_a_passkey_is_added_used_renamed_and_removed_by_keyboard(
    web: Flask, world: World, served: Any, page: Page, assert_accessible: Check, complaints: Any
) -> None:
    devtools, device = authenticator(page)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/account")
    add_by_keyboard(page)
    expect(page.get_by_text("not used yet")).to_be_visible()
    (credential,) = held(devtools, device)
    assert (credential["rpId"], credential["isResidentCredential"]) == ("alpha.localhost", True)
    assert_accessible(page)
    # The same device again: it says so itself.
    page.goto(f"{served.origin('alpha')}/dashboard/account/passkeys/new")
    page.get_by_label("Current password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This device has a passkey for your account already.")
    assert_accessible(page)
    # What the browser offers in the address field by itself would sign in before a key is pressed.
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    page.get_by_role("button", name="Sign out", exact=True).press("Enter")
    button = page.get_by_role("button", name="Sign in with a passkey")
    expect(button).to_be_visible()
    page.get_by_role("link", name="Forgot your password?").focus()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()
    page.goto(f"{served.origin('alpha')}/dashboard/account")
    expect(page.get_by_text("last used")).to_be_visible()
    page.get_by_role("button", name="Rename The office laptop").press("Enter")
    page.get_by_role("dialog").get_by_label("Name").fill("The old laptop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The old laptop")).to_be_visible()
    page.get_by_role("button", name="Remove The old laptop", exact=True).press("Enter")
    page.get_by_role("button", name="Remove passkey").press("Enter")
    expect(page.get_by_text("You have no passkeys yet.")).to_be_visible()
    # Its key is still in the device, which offers it; the server knows it no more, and says what to do.
    page.get_by_role("button", name="Sign out", exact=True).press("Enter")
    button.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Sign in with your password.")
    complaints.forget("401")
    assert_accessible(page)


def test_the_address_field_offers_the_passkey(web: Flask, world: World, served: Any, page: Page) -> None:
    """Chromium's virtual authenticator picks the only one that is offered."""
    authenticator(page)
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/account")
    add_by_keyboard(page)
    page.get_by_role("button", name="Sign out", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()


def test_who_the_device_does_not_know_is_told_and_another_host_offers_nothing(
    web: Flask, world: World, served: Any, page: Page
) -> None:
    devtools, device = authenticator(page)
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/account")
    add_by_keyboard(page)
    page.goto(f"{served.origin('beta')}/dashboard/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used.")
    page.goto(f"{served.origin('alpha')}/dashboard/account")
    page.get_by_role("button", name="Sign out", exact=True).press("Enter")
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("No passkey was used.")
    page.get_by_label("E-mail address").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()


def test_without_scripts_the_button_is_not_there(web: Flask, world: World, served: Any, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"{served.origin('alpha')}/dashboard/sign-in")
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    sign_in(page, served.origin("alpha"))
    page.goto(f"{served.origin('alpha')}/dashboard/account/passkeys/new")
    assert "Passkeys need JavaScript." in page.content()
    expect(page.get_by_label("Current password")).to_be_hidden()
