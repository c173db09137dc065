"""A session is its tenant's and nobody else's, and believed only as long as the database agrees."""

from conftest import World
from flask import Flask
from visits import ALPHA, BETA, member, share_link, visitor

import wsgi
from infra.settings import Settings
from tenants import people
from tenants.db import db
from tenants.people import Member
from tenants.scope import open_site

COOKIE = "__Host-session"


def dashboard_link(page: str) -> bool:
    """Pages link to the dashboard for members only: the sign of who the site takes one for."""
    return 'href="/dashboard/"' in page


def test_a_member_is_known_on_their_tenants_host(web: Flask, world: World) -> None:
    assert dashboard_link(member(web, world.alpha, world.alice).get("/").text)
    assert not dashboard_link(visitor(web).get("/").text)


def test_a_session_of_another_tenant_is_nobodys(web: Flask, world: World) -> None:
    bob = member(web, world.beta, world.bob, BETA)
    assert dashboard_link(bob.get("/").text)
    cookie = bob.get_cookie(COOKIE, "beta.localhost")
    assert cookie is not None
    thief = visitor(web)
    thief.set_cookie(COOKIE, cookie.value, domain="alpha.localhost")
    assert not dashboard_link(thief.get("/").text)


def test_a_session_that_names_the_right_tenant_needs_a_member_of_it(web: Flask, world: World) -> None:
    client = visitor(web)
    with client.session_transaction(base_url=ALPHA) as session:
        session["tenant"] = world.alpha
        session["_user_id"] = f"{world.beta}:{world.bob}:{'0' * 32}"
    assert not dashboard_link(client.get("/").text)


def test_ending_a_members_sessions_ends_them_at_once(web: Flask, world: World) -> None:
    alice = member(web, world.alpha, world.alice)
    with web.app_context(), open_site(world.alpha) as site:
        found = site.session.get(Member, (world.alpha, world.alice))
        assert found is not None
        people.end_sessions(found)
        site.session.commit()
        db.session.remove()
    assert not dashboard_link(alice.get("/").text)


def test_a_tampered_cookie_is_an_anonymous_visitor(web: Flask, world: World) -> None:
    client = visitor(web)
    client.set_cookie(COOKIE, "eyJ0ZW5hbnQiOiJ4In0.aaaaaa.bbbb", domain="alpha.localhost")
    answer = client.get("/")
    assert answer.status_code == 200
    assert not dashboard_link(answer.text)


def test_the_cookie_is_host_only_and_out_of_reach_of_scripts(web: Flask, world: World, shared: str) -> None:
    cookie = visitor(web).get(shared).headers["Set-Cookie"]
    name, _, attributes = cookie.partition("=")
    assert name == COOKIE
    parts = {part.strip().lower() for part in attributes.split(";")[1:]}
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= parts
    assert not any(part.startswith("domain") for part in parts)


def test_a_visitor_who_only_looks_gets_no_cookie(web: Flask) -> None:
    answer = visitor(web).get("/")
    assert "Set-Cookie" not in answer.headers


def test_plain_http_on_a_real_name_goes_without_the_prefix(settings: Settings, world: World) -> None:
    """Browsers refuse `__Host-` cookies there, and a site that nobody can sign in to is no use."""
    app = wsgi.make_web(settings.model_copy(update={"base_domain": "photos.test"}))
    origin = "http://alpha.photos.test"
    path = share_link(app, world.alpha, world.alpha_private)
    cookie = visitor(app, origin).get(path).headers["Set-Cookie"]
    assert cookie.startswith("session=")
    assert "secure" not in cookie.lower()
    with app.app_context():
        db.engine.dispose()
