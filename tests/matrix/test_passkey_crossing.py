"""A passkey of one tenant at another's: neither by the row, nor by an answer that claims to be made there."""

import pytest
from authenticator_fake import AuthenticatorFake
from conftest import World
from dashboard_client import Browser, alice
from flask import Flask
from passkey_stage import SIGN_IN, asked, device, stranger
from sqlalchemy import select

from tenants import passkeys
from tenants.passkeys import Passkey
from tenants.scope import open_site

pytestmark = pytest.mark.every_database

__all__ = ["alice", "device"]  # Fixtures are found by being here.


@pytest.mark.parametrize("lies", [False, True], ids=["as it is", "as if made there"])
def test_alphas_passkey_opens_nothing_at_betas(web: Flask, world: World, device: AuthenticatorFake, lies: bool) -> None:
    there = stranger(web, "beta.localhost")
    options = asked(there)
    assert options["rpId"] == "beta.localhost"
    device.origin = "https://beta.localhost"
    device.says = {"rp": "beta.localhost"} if lies else {}
    answer = there.post(SIGN_IN, {"credential": device.get(options)})
    assert answer.status_code == 401
    assert answer.json["detail"] == passkeys.REFUSED
    assert there.get("/dashboard/").status_code == 303
    with web.app_context(), open_site(world.beta) as site:
        assert site.session.scalars(select(Passkey)).all() == []


def test_a_challenge_of_betas_is_none_at_alphas(web: Flask, world: World, device: AuthenticatorFake) -> None:
    """Beta's session, and the answer that it asked for, are brought to alpha."""
    there = stranger(web, "beta.localhost")
    options = asked(there)
    cookie = there.cookies.get_cookie("__Host-session", "beta.localhost")
    assert cookie is not None
    web.config["WTF_CSRF_ENABLED"] = False  # Or the missing form token would refuse first.
    here = Browser(web)
    here.cookies.set_cookie("__Host-session", cookie.value, domain="alpha.localhost", secure=True)
    assert here.post(SIGN_IN, {"credential": device.get(options)}).status_code == 401
    assert here.get("/dashboard/").status_code == 303
