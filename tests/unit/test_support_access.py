"""Support access: only while the tenant lets it, only as far, and never without a trace."""

import html
import re
from datetime import timedelta

import gallery
import pytest
from conftest import World
from dashboard_client import Browser as Member
from flask import Flask
from operator_stage import Operator
from visits import ALPHA, BETA, Browser, visitor

from tenants import catalog, support
from tenants.scope import open_site


@pytest.fixture
def alice(web: Flask, world: World) -> Member:
    browser = Member(web)
    browser.sign_in("alice")
    browser.get("/dashboard/support")
    return browser


@pytest.fixture
def olga(web: Flask, world: World) -> Operator:
    return Operator(web)


def let_in(alice: Member, role: str = "viewer", hours: int = 1) -> None:
    assert alice.submit("/dashboard/support", {"role": role, "hours": hours}).status_code == 303


def take_pass(olga: Operator, world: World) -> str:
    olga.get(f"/operator/tenants/{world.alpha}")
    page = olga.post(f"/operator/tenants/{world.alpha}/support").text
    found = re.search(r'action="http://alpha\.localhost[^"]*/dashboard/support/enter"', page)
    assert found is not None
    given = re.search(r'name="pass" value="([^"]+)"', page)
    assert given is not None
    return html.unescape(given[1])


def enter(web: Flask, given: str, origin: str = ALPHA) -> tuple[Browser, int]:
    browser = visitor(web, origin)
    return browser, browser.post("/dashboard/support/enter", data={"pass": given}).status_code


def acts(web: Flask, world: World) -> list[tuple[str, str, str]]:
    with web.app_context(), open_site(world.alpha) as site:
        return [(act.who, act.method, act.path) for act in support.acts(site.session, 50)]


def test_nobody_comes_in_unasked(web: Flask, olga: Operator, world: World) -> None:
    olga.get(f"/operator/tenants/{world.alpha}")
    assert olga.post(f"/operator/tenants/{world.alpha}/support").status_code == 403
    assert enter(web, "guess")[1] == 403
    assert enter(web, "")[1] == 403


def test_a_viewer_looks_and_changes_nothing(web: Flask, alice: Member, olga: Operator, world: World) -> None:
    let_in(alice)
    browser, status = enter(web, take_pass(olga, world))
    assert status == 303
    page = browser.get("/dashboard/")
    assert page.status_code == 200
    assert "You are here as support" in page.text
    web.config["WTF_CSRF_ENABLED"] = False
    assert browser.post("/dashboard/albums/new", data={"title": "x"}).status_code == 403
    for path in ("/dashboard/account", "/dashboard/account/two-factor", "/dashboard/members", "/dashboard/support"):
        assert browser.get(path).status_code == 403, path
    assert ("olga", "GET", "/dashboard/") in acts(web, world)
    assert ("olga", "POST", "/dashboard/albums/new") in acts(web, world)
    told = alice.get("/dashboard/support").text
    assert "opened /dashboard/" in told
    assert "changed /dashboard/albums/new" in told


def test_an_editor_changes_albums_and_no_more(web: Flask, alice: Member, olga: Operator, world: World) -> None:
    let_in(alice, "editor", 24)
    browser, _ = enter(web, take_pass(olga, world))
    web.config["WTF_CSRF_ENABLED"] = False
    made = browser.post("/dashboard/albums/new", data={"title": "By support", "visibility": "private"})
    assert made.status_code == 303
    assert browser.get("/dashboard/members").status_code == 403
    assert browser.get("/dashboard/brand").status_code == 403


def test_pictures_are_shown_while_it_lasts(web: Flask, alice: Member, olga: Operator, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = catalog.album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]))
        site.session.commit()
    let_in(alice)
    browser, _ = enter(web, take_pass(olga, world))
    page = browser.get("/a/alpha-secret").text
    found = re.search(r"/m/h[^ \"]+w320\.jpg", page)
    assert found is not None
    assert browser.get(found[0]).status_code == 200
    alice.get("/dashboard/support")
    assert alice.submit("/dashboard/support/end").status_code == 303
    web.extensions["vitrine.standings"].clear()  # Remembered for three seconds.
    assert browser.get(found[0]).status_code == 404
    assert browser.get("/dashboard/").status_code == 303, "out at once"


def test_a_pass_opens_once_and_one_tenant(web: Flask, alice: Member, olga: Operator, world: World) -> None:
    let_in(alice)
    given = take_pass(olga, world)
    assert enter(web, given, BETA)[1] == 403
    assert enter(web, given)[1] == 303
    assert enter(web, given)[1] == 403


def test_a_pass_is_over_in_a_minute(
    web: Flask, alice: Member, olga: Operator, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(alice)
    given = take_pass(olga, world)
    monkeypatch.setattr(support, "PASS_SECONDS", -1)
    assert enter(web, given)[1] == 403


def test_it_ends_by_itself(web: Flask, alice: Member, olga: Operator, world: World) -> None:
    let_in(alice)
    browser, _ = enter(web, take_pass(olga, world))
    with web.app_context(), open_site(world.alpha) as site:
        grant = support.live(site.session, site.now())
        assert grant is not None
        grant.expires_at = site.now() - timedelta(seconds=1)
        site.session.commit()
    assert browser.get("/dashboard/").status_code == 303
    olga.get(f"/operator/tenants/{world.alpha}")
    assert olga.post(f"/operator/tenants/{world.alpha}/support").status_code == 403


def test_only_admins_let_support_in_and_never_as_one(web: Flask, alice: Member, world: World) -> None:
    for role, hours in (("admin", 1), ("owner", 1), ("viewer", 1000), ("viewer", 2)):
        assert alice.submit("/dashboard/support", {"role": role, "hours": hours}).status_code == 422
    adam = Member(web)
    adam.sign_in("adam")
    assert adam.get("/dashboard/support").status_code == 403
    assert adam.submit("/dashboard/support", {"role": "viewer", "hours": 1}).status_code == 403
