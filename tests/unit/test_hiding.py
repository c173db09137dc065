"""“I am in this photo”: asked for on its page, answered in the dashboard, gone from every page once it is hidden."""

import re

import gallery
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from visits import token_of, visitor

from infra.errors import Problem
from infra.sql import reading
from tenants import catalog, hiding
from tenants.catalog import Asset
from tenants.db import db
from tenants.scope import open_site


@pytest.fixture
def photo(web: Flask, world: World) -> str:
    with web.app_context():
        with open_site(world.alpha) as site:
            album = catalog.album_by_id(site.session, site.tenant_id, world.alpha_album)
            assert album is not None
            asset_id = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), original=True).id
            site.session.commit()
        db.session.remove()
    return asset_id


def ask(web: Flask, photo: str, **given: str) -> tuple[int, str]:
    browser = visitor(web)
    path = f"/a/alpha-shows/{photo}/hide-me"
    token = token_of(browser, path)
    answer = browser.post(path, data={"csrf_token": token, "text": "On the left, in red.", **given})
    return answer.status_code, answer.text


def wish(web: Flask, world: World) -> str:
    """The id of the only request."""
    with web.app_context():
        with reading(), open_site(world.alpha) as site:
            ((found, _asset, _album),) = hiding.listed(site.session, is_open=True)
            hide_id = found.id
        db.session.remove()
    return hide_id


def test_a_photo_is_hidden_and_shown_again(web: Flask, world: World, photo: str, alice: Browser) -> None:
    page = visitor(web).get(f"/a/alpha-shows/{photo}").text
    assert f'href="/a/alpha-shows/{photo}/hide-me"' in page
    picture = re.search(r"/m/[^ \"]+w320\.jpg", page)
    assert picture is not None
    assert ask(web, photo, name="Una", email="una@example.com")[0] == 303
    listed = alice.get("/dashboard/requests").text
    assert "On the left, in red." in listed and "una@example.com" in listed and "Una" in listed
    assert 'class="count">1' in alice.get("/dashboard/").text
    base = f"/dashboard/requests/{wish(web, world)}"
    answer = alice.post(base, {"do": "hide"})
    assert answer.status_code == 200
    assert visitor(web).get(f"/a/alpha-shows/{photo}").status_code == 404
    assert photo not in visitor(web).get("/a/alpha-shows").text
    assert visitor(web).get(picture[0]).status_code == 404, "an address from before opens it no more"
    assert alice.post(base, {"do": "hide"}).status_code == 409, "it has its answer"
    assert "Hidden on" in alice.get("/dashboard/requests").text
    assert alice.post(answer.json["undo"]).status_code == 200  # type: ignore[index]
    assert visitor(web).get(f"/a/alpha-shows/{photo}").status_code == 200


def test_refusing_needs_a_reason(web: Flask, world: World, photo: str, alice: Browser) -> None:
    ask(web, photo)
    alice.get("/dashboard/requests")
    base = f"/dashboard/requests/{wish(web, world)}"
    assert alice.post(base, {"do": "refuse"}).status_code == 422
    assert alice.post(base, {"do": "refuse", "reason": "It is not you."}).status_code == 200
    assert "It is not you." in alice.get("/dashboard/requests").text
    assert visitor(web).get(f"/a/alpha-shows/{photo}").status_code == 200


def test_a_wrong_request_is_explained(web: Flask, photo: str) -> None:
    status, page = ask(web, photo, text=" ")
    assert status == 422 and "Say where you are" in page
    status, page = ask(web, photo, email="nonsense")
    assert status == 422 and "not an e-mail address" in page


def test_only_what_one_sees_can_be_asked_about(web: Flask, world: World, photo: str) -> None:
    assert visitor(web).get(f"/a/alpha-secret/{photo}/hide-me").status_code == 404
    assert visitor(web, "http://beta.localhost").get(f"/a/beta-shows/{photo}/hide-me").status_code == 404


def test_nobody_fills_the_tenants_list(web: Flask, world: World, photo: str) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        asset = site.session.get_one(Asset, (world.alpha, photo))
        for _ in range(hiding.MOST_OPEN):
            hiding.ask(site.session, asset, "", "", "Me", now=site.now())
        with pytest.raises(Problem, match="Many have asked"):
            hiding.ask(site.session, asset, "", "", "Me", now=site.now())


def test_asking_is_limited(web: Flask, photo: str) -> None:
    browser = visitor(web)
    path = f"/a/alpha-shows/{photo}/hide-me"
    token = token_of(browser, path)
    answers = [browser.post(path, data={"csrf_token": token, "text": "Me"}).status_code for _ in range(11)]
    assert answers == [303] * 10 + [429]
