"""Codes of the second factor: which are good, how often, and that a copy of the database tells none."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from conftest import World
from flask import Flask

from infra.errors import Problem
from tenants import people, two_factor
from tenants.people import Member
from tenants.scope import Site, open_site

pytestmark = pytest.mark.every_database

KEY = "a deployment's secret of enough length"
NOW = datetime(2026, 5, 4, 12, 0, 10, tzinfo=UTC)
STEP = timedelta(seconds=two_factor.STEP_SECONDS)


def set_up(site: Site) -> tuple[Member, str, list[str]]:
    alice = people.by_email(site.session, "alice@example.com")
    assert alice is not None
    secret = two_factor.new_secret()
    codes = two_factor.enable(site.session, alice, KEY, secret, pyotp.TOTP(secret).at(NOW), now=NOW)
    return alice, secret, codes


def passes(site: Site, member: Member, given: str, at: datetime) -> bool:
    return two_factor.passes(site.session, member, KEY, given, now=at)


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # Appendix B: "12345678901234567890".
    assert two_factor._step(secret, "287082", datetime.fromtimestamp(59, UTC)) == 1
    assert two_factor._step(secret, "081804", datetime.fromtimestamp(1111111109, UTC)) == 37037036


def test_a_code_is_good_once_and_for_a_step_either_way(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        alice, secret, _ = set_up(site)
        totp = pyotp.TOTP(secret)
        assert not passes(site, alice, totp.at(NOW), NOW)  # It was used to set it up.
        later = NOW + 3 * STEP
        assert not passes(site, alice, totp.at(later - 2 * STEP), later)
        assert passes(site, alice, totp.at(later - STEP), later)
        assert not passes(site, alice, totp.at(later - STEP), later)
        given = totp.at(later + STEP)
        assert passes(site, alice, f"{given[:3]} {given[3:]}", later)
        assert not passes(site, alice, totp.at(later), later)  # Earlier than the one that was used.
        assert not passes(site, alice, "", later)


def test_a_recovery_code_is_good_once(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        alice, _, codes = set_up(site)
        assert len(set(codes)) == two_factor.CODES
        assert passes(site, alice, codes[3].upper().replace("-", " "), NOW)
        assert not passes(site, alice, codes[3], NOW)
        assert two_factor.left(site.session, alice) == two_factor.CODES - 1
        fresh = two_factor.renew(site.session, alice)
        assert not passes(site, alice, codes[0], NOW)
        assert passes(site, alice, fresh[0], NOW)


def test_a_wrong_first_code_switches_nothing_on(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        alice = people.by_email(site.session, "alice@example.com")
        assert alice is not None
        with pytest.raises(Problem, match="does not fit"):
            two_factor.enable(site.session, alice, KEY, two_factor.new_secret(), "000000", now=NOW)
        assert alice.totp_sealed is None


def test_the_database_alone_tells_no_secret(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        alice, secret, codes = set_up(site)
        assert alice.totp_sealed is not None
        assert secret not in alice.totp_sealed
        assert two_factor.unseal("another deployment's secret", alice.totp_sealed) is None
        later = NOW + 5 * STEP
        other = two_factor.passes(site.session, alice, "another", pyotp.TOTP(secret).at(later), now=later)
        assert not other
        assert two_factor.passes(site.session, alice, "another", codes[0], now=later)  # These still open.


def test_after_the_end_nothing_passes(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        alice, secret, codes = set_up(site)
        two_factor.disable(site.session, alice)
        site.session.flush()
        later = NOW + 5 * STEP
        assert not passes(site, alice, pyotp.TOTP(secret).at(later), later)
        assert not passes(site, alice, codes[0], later)
        assert two_factor.left(site.session, alice) == 0
