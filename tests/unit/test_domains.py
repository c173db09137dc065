"""Host header to tenant."""

import pytest
from conftest import World
from flask import Flask

from infra.errors import Problem
from tenants import claims, domains, registry
from tenants.db import db
from tenants.registry import Tenant, TenantState
from tenants.scope import enter, ports

pytestmark = pytest.mark.every_database


def tenant(slug: str) -> Tenant:
    found = registry.by_slug(db.session(), slug)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "host", ["alpha.localhost", "ALPHA.LocalHost", "alpha.localhost:8000", "alpha.localhost.", "alpha.localhost.:80"]
)
def test_spellings_of_one_host(core: Flask, world: World, host: str) -> None:
    found = domains.resolve(db.session(), host, "localhost")
    assert found is not None
    assert found.id == world.alpha


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "gamma.localhost",
        "x.alpha.localhost",
        "alpha.localhost:80x",
        "alpha.localhost/../",
        "[::1]:80",
        "alpha.localhost, beta.localhost",
        "alpha.localhost\x00",
        "älpha.localhost",
        "a" * 400,
        "alpha",
        "alphalocalhost",
    ],
)
def test_other_hosts_are_nobodys(core: Flask, world: World, host: str) -> None:
    assert domains.resolve(db.session(), host, "localhost") is None


def test_a_custom_domain_is_served_once_it_is_held(core: Flask, world: World) -> None:
    now = ports().clock.now()
    site = enter(tenant("beta"))
    claim = claims.claim(site.session, site.tenant, "Photos.Example.com.", "localhost", now=now)
    assert domains.resolve(site.session, "photos.example.com", "localhost") is None
    claims.hold(site.session, claim, now)
    found = domains.resolve(site.session, "photos.example.com:443", "localhost")
    assert found is not None
    assert found.id == world.beta
    with pytest.raises(Problem, match="on your list"):
        claims.claim(site.session, site.tenant, "photos.example.com", "localhost", now=now)
    site.session.commit()
    other = enter(tenant("alpha"))
    with pytest.raises(Problem, match="in use"):
        claims.vouch(other.session, other.tenant, "photos.example.com", "localhost", now=now)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "alpha.localhost",
        "upload.localhost",
        "exam ple.com",
        "example",
        "-x.com",
        "a..b.com",
        "*.example.com",
        "203.0.113.9",
        "example.com:80",
        "example.com/x",
        "http://",
        "xn--a.example",
        "a" * 64 + ".com",
        "",
        "\u202e.com",
    ],
)
def test_hosts_that_cannot_be_claimed(core: Flask, world: World, host: str) -> None:
    site = enter(tenant("alpha"))
    with pytest.raises(Problem) as caught:
        claims.claim(site.session, site.tenant, host, "localhost", now=ports().clock.now())
    assert caught.value.code == "invalid"


@pytest.mark.parametrize(
    ("written", "stored", "shown"),
    [
        ("https://Photos.Example.com/", "photos.example.com", "photos.example.com"),
        ("München.example", "xn--mnchen-3ya.example", "münchen.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example", "münchen.example"),
        ("straße.example", "xn--strae-oqa.example", "straße.example"),
        ("写真。例え.jp", "xn--g7qs82g.xn--r8jz45g.jp", "写真.例え.jp"),
    ],
)
def test_a_host_is_stored_as_dns_has_it_and_shown_as_people_write_it(written: str, stored: str, shown: str) -> None:
    assert domains.host_name(written, "localhost") == stored
    assert domains.shown(stored) == shown


def test_a_suspended_tenant_is_not_served(core: Flask, world: World) -> None:
    enter(tenant("alpha")).tenant.state = TenantState.SUSPENDED
    db.session.flush()
    assert domains.resolve(db.session(), "alpha.localhost", "localhost") is None


def test_slugs_that_mislead_or_collide_are_refused(core: Flask, world: World) -> None:
    for slug in ("upload", "www", "Alpha", "a.b", "alpha"):
        with pytest.raises(Problem):
            registry.create(db.session(), slug, "x", now=ports().clock.now())
