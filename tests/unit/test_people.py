"""Members, roles and passwords."""

import pytest
from conftest import PASSWORD, World
from flask import Flask

from infra.errors import Problem
from tenants import people
from tenants.people import Role
from tenants.scope import open_site

pytestmark = pytest.mark.every_database


def test_the_right_password_signs_in_and_is_noted(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        member = people.authenticate(site.session, " Alice@Example.com ", PASSWORD, now=site.now())
        assert member is not None
        assert member.id == world.alice
        assert member.signed_in_at is not None
        assert member.password_hash.startswith("$argon2id$")


@pytest.mark.parametrize(("email", "password"), [("alice@example.com", "wrong"), ("nobody@example.com", PASSWORD)])
def test_anything_else_does_not(core: Flask, world: World, email: str, password: str) -> None:
    with open_site(world.alpha) as site:
        assert people.authenticate(site.session, email, password, now=site.now()) is None


def test_a_member_of_one_tenant_is_nobody_at_another(core: Flask, world: World) -> None:
    with open_site(world.beta) as site:
        assert people.authenticate(site.session, "alice@example.com", PASSWORD, now=site.now()) is None
    with open_site(world.alpha) as site:
        alice = people.by_email(site.session, "alice@example.com")
        assert alice is not None
        session_id = alice.get_id()
        assert people.load(site.session, session_id, world.alpha) is alice
        assert people.load(site.session, session_id, world.beta) is None


def test_a_changed_session_key_ends_sessions(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        alice = people.by_email(site.session, "alice@example.com")
        assert alice is not None
        before = alice.get_id()
        alice.session_key = "0" * 32
        assert people.load(site.session, before, world.alpha) is None
        assert people.load(site.session, "garbage", world.alpha) is None


@pytest.mark.parametrize("email", ["", "x", "@x.y", "a b@x.y", "a@localhost", "a@x."])
def test_malformed_addresses_are_refused(core: Flask, world: World, email: str) -> None:
    with open_site(world.alpha) as site, pytest.raises(Problem, match="e-mail"):
        people.add(site.session, world.alpha, email, Role.EDITOR, PASSWORD, now=site.now())


def test_taken_addresses_and_short_passwords_are_refused(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        with pytest.raises(Problem, match="already"):
            people.add(site.session, world.alpha, "ALICE@example.com", Role.EDITOR, PASSWORD, now=site.now())
        with pytest.raises(Problem, match="at least"):
            people.add(site.session, world.alpha, "new@example.com", Role.EDITOR, "short", now=site.now())


def test_roles_are_ordered() -> None:
    assert Role.OWNER.at_least(Role.ADMIN)
    assert Role.EDITOR.at_least(Role.EDITOR)
    assert not Role.VIEWER.at_least(Role.EDITOR)
