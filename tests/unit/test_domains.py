"""Host header to tenant."""

import pytest
from conftest import World
from flask import Flask

from infra.errors import Problem
from tenants import domains, registry
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


def test_a_custom_domain_is_served_once_verified(core: Flask, world: World) -> None:
    now = ports().clock.now()
    session = enter(tenant("beta")).session
    claim = domains.add(session, tenant("beta"), "Photos.Example.com.", "localhost", now=now, verified=False)
    assert domains.resolve(session, "photos.example.com", "localhost") is None
    claim.verified_at = now
    session.flush()
    found = domains.resolve(session, "photos.example.com:443", "localhost")
    assert found is not None
    assert found.id == world.beta
    with pytest.raises(Problem, match="in use"):
        domains.add(session, tenant("alpha"), "photos.example.com", "localhost", now=now, verified=True)


@pytest.mark.parametrize(
    "host", ["localhost", "alpha.localhost", "upload.localhost", "exam ple.com", "example", "-x.com"]
)
def test_hosts_that_cannot_be_claimed(core: Flask, world: World, host: str) -> None:
    with pytest.raises(Problem):
        domains.add(db.session(), tenant("alpha"), host, "localhost", now=ports().clock.now(), verified=True)


def test_a_suspended_tenant_is_not_served(core: Flask, world: World) -> None:
    enter(tenant("alpha")).tenant.state = TenantState.SUSPENDED
    db.session.flush()
    assert domains.resolve(db.session(), "alpha.localhost", "localhost") is None


def test_slugs_that_mislead_or_collide_are_refused(core: Flask, world: World) -> None:
    for slug in ("upload", "www", "Alpha", "a.b", "alpha"):
        with pytest.raises(Problem):
            registry.create(db.session(), slug, "x", now=ports().clock.now())
