"""Reports of visitors, and what is taken down: gone everywhere at once, and not accepted again."""

import re
from datetime import timedelta

import gallery
import pytest
from conftest import World
from flask import Flask
from operator_stage import Operator
from visits import ALPHA, BETA, Browser, member, share_link, token_of, visitor

from infra.errors import Problem
from tenants import abuse, arrivals, blocklist, catalog
from tenants.catalog import Asset, AssetState
from tenants.db import across_tenants, db
from tenants.scope import Site, open_site, ports


@pytest.fixture
def olga(web: Flask, world: World) -> Operator:
    return Operator(web)


def put_photo(site: Site, album_id: str) -> str:
    album = catalog.album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    made = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), original=True)
    asset_id = made.id
    site.session.commit()
    return asset_id


@pytest.fixture
def photos(web: Flask, world: World) -> tuple[str, str]:
    """The same file at alpha's and at beta's."""
    with web.app_context():
        with open_site(world.alpha) as site:
            first = put_photo(site, world.alpha_album)
        with open_site(world.beta) as site:
            second = put_photo(site, world.beta_album)
    return first, second


def send(browser: Browser, path: str, **fields: str) -> int:
    given = {"csrf_token": token_of(browser, path), "reason": "copyright", "text": "That is mine.", **fields}
    return browser.post(path, data=given).status_code


def reports(web: Flask) -> list[abuse.AbuseReport]:
    with web.app_context(), across_tenants(db.session(), "test") as session:
        return [report for report, _ in abuse.listed(session, open_only=False, limit=50)]


def test_a_visitor_reports_a_photo(web: Flask, world: World, photos: tuple[str, str]) -> None:
    album = visitor(web).get("/a/alpha-shows").text
    assert 'href="/a/alpha-shows/report"' in album
    assert f'href="/a/alpha-shows/report?photo={photos[0]}"' in visitor(web).get(f"/a/alpha-shows/{photos[0]}").text
    browser = visitor(web)
    path = f"/a/alpha-shows/report?photo={photos[0]}"
    assert send(browser, path, email="me@example.com") == 303
    assert browser.get("/a/alpha-shows/report/thanks").status_code == 200
    (report,) = reports(web)
    assert (report.tenant_id, report.asset, report.email) == (world.alpha, photos[0], "me@example.com")
    assert report.url.endswith(f"/a/alpha-shows/{photos[0]}")
    assert report.state is abuse.ReportState.OPEN
    with web.app_context():
        hour, now = timedelta(hours=1), ports().clock.now()
        assert ports().metrics.total("abuse.reports", now - hour, now + hour) == 1, "an alarm hears of it"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"text": ""}, "Say in a sentence"),
        ({"reason": "boredom"}, "Not a valid choice"),
        ({"email": "nonsense"}, "not an e-mail address"),
        ({"text": "x" * 5001}, "5000"),
    ],
)
def test_a_wrong_report_is_explained(web: Flask, world: World, fields: dict[str, str], told: str) -> None:
    browser = visitor(web)
    path = "/a/alpha-shows/report"
    given = {"csrf_token": token_of(browser, path), "reason": "hate", "text": "Hm.", **fields}
    answer = browser.post(path, data=given)
    assert answer.status_code == 422
    assert told in answer.text
    assert reports(web) == []


def test_only_what_one_sees_can_be_reported(web: Flask, world: World, photos: tuple[str, str]) -> None:
    stranger = visitor(web)
    assert stranger.get("/a/alpha-secret/report").status_code == 404
    assert stranger.get(f"/a/alpha-shows/report?photo={photos[1]}").status_code == 404
    guest = visitor(web)
    guest.get(share_link(web, world.alpha, world.alpha_private))
    assert send(guest, "/a/alpha-secret/report") == 303


def test_reporting_is_limited(web: Flask, world: World) -> None:
    browser = visitor(web)
    answers = [send(browser, "/a/alpha-shows/report") for _ in range(6)]
    assert answers == [303] * 5 + [429]


def test_members_are_not_told_who_reports(web: Flask, world: World) -> None:
    send(visitor(web), "/a/alpha-shows/report", email="me@example.com")
    alice = member(web, world.alpha, world.alice)
    for path in ("/dashboard/", "/dashboard/news", "/dashboard/support"):
        assert "me@example.com" not in alice.get(path).text


def take_down(web: Flask, olga: Operator, world: World, photo: str) -> str:
    send(visitor(web), f"/a/alpha-shows/report?photo={photo}")
    (report,) = reports(web)
    path = f"/operator/reports/{world.alpha}/{report.id}"
    assert olga.get(path).status_code == 200
    assert olga.post(f"{path}/take-down").status_code == 422, "without a reason"
    assert olga.post(f"{path}/take-down", reason="a letter of their lawyer").status_code == 303
    return path


def test_what_is_taken_down_is_gone_everywhere(
    web: Flask, olga: Operator, world: World, photos: tuple[str, str]
) -> None:
    alpha_page, beta_page = f"/a/alpha-shows/{photos[0]}", f"/a/beta-shows/{photos[1]}"
    picture = re.search(r"/m/[^ \"]+w320\.jpg", visitor(web).get(alpha_page).text)
    assert picture is not None
    assert visitor(web).get(picture[0]).status_code == 200
    take_down(web, olga, world, photos[0])
    assert visitor(web).get(alpha_page).status_code == 404
    assert visitor(web, BETA).get(beta_page).status_code == 404
    assert visitor(web).get(picture[0]).status_code == 404
    assert photos[0] not in visitor(web).get("/a/alpha-shows").text
    alice = member(web, world.alpha, world.alice)
    assert "taken down by the operator" in alice.get(f"/dashboard/albums/{world.alpha_album}").text
    with web.app_context(), open_site(world.beta) as site:
        asset = site.session.get_one(Asset, (world.beta, photos[1]))
        assert asset.state is AssetState.REJECTED
    (report,) = reports(web)
    assert (report.state, report.closed_by) == (abuse.ReportState.TAKEN_DOWN, "olga")


def test_it_is_not_accepted_again(web: Flask, olga: Operator, world: World, photos: tuple[str, str]) -> None:
    take_down(web, olga, world, photos[0])
    with web.app_context():
        with open_site(world.alpha) as site:
            asset = site.session.get_one(Asset, (world.alpha, photos[0]))
            sha256 = asset.sha256
            with pytest.raises(Problem, match="taken down before"):
                blocklist.refuse_blocked(site.session, sha256)
            with pytest.raises(Problem, match="taken down before"):
                arrivals.copy(site, [asset], "A copy")
        db.session.remove()
    olga.get("/operator/blocked")
    assert olga.post(f"/operator/blocked/{sha256}/lift", reason="it was a mistake").status_code == 303
    with web.app_context(), open_site(world.alpha) as site:
        blocklist.refuse_blocked(site.session, sha256)
    with web.app_context():
        assert "report.take-down" in _actions()


def _actions() -> list[str]:
    from tenants import operator_log

    return [entry.action for entry in operator_log.latest(db.session(), 20)]


def test_the_operator_sees_the_picture_of_a_private_album(web: Flask, olga: Operator, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        photo = put_photo(site, world.alpha_private)
    guest = visitor(web)
    path = share_link(web, world.alpha, world.alpha_private)
    guest.get(path)
    send(guest, f"/a/alpha-secret/report?photo={photo}", reason="child")
    (report,) = reports(web)
    base = f"/operator/reports/{world.alpha}/{report.id}"
    assert "It endangers a child" in olga.get(base).text
    picture = olga.browser.get(f"{base}/picture")
    assert picture.status_code == 200
    assert picture.content_type == "image/jpeg"
    assert picture.headers["Cache-Control"] == "private, no-store"
    assert visitor(web, ALPHA).get(f"{base}/picture").status_code == 404
    olga.get(base)
    assert olga.post(f"{base}/dismiss", reason="nothing of the kind").status_code == 303
    assert reports(web)[0].state is abuse.ReportState.DISMISSED
    assert "No report waits" in olga.get("/operator/reports").text
