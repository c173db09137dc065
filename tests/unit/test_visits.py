"""Visits are counted by day, without cookies, without slowing a kept page, and without keeping who it was."""

from datetime import timedelta

import gallery
import pytest
from conftest import World
from dashboard_client import Browser as Member
from flask import Flask
from sqlalchemy import select
from visits import Browser, member, visitor

from tenants import visits
from tenants.catalog import album_by_id
from tenants.scope import open_site, ports
from tenants.visits import Report, Visit, VisitCount, VisitMark, VisitSalt
from webapp import counting

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1"

pytestmark = pytest.mark.every_database


@pytest.fixture
def photo(web: Flask, world: World) -> str:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = True
        asset_id = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), original=True).id
        site.session.commit()
    return asset_id


def look(browser: Browser, path: str, agent: str = FIREFOX, place: str = "192.0.2.1", **headers: str) -> int:
    told = {"User-Agent": agent, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return browser.get(path, headers=told, environ_base={"REMOTE_ADDR": place}).status_code


def counted(web: Flask, tenant_id: str) -> dict[tuple[str, str], int]:
    web.extensions["vitrine.visits"].flush()
    with web.app_context(), open_site(tenant_id) as site:
        return {(row.what, row.about): row.count for row in site.session.scalars(select(VisitCount))}


def test_views_visitors_photos_downloads_and_referrers(web: Flask, world: World, photo: str) -> None:
    guest = visitor(web)
    for path, agent, more in (
        ("/a/alpha-shows", FIREFOX, {"Referer": "https://blog.example/post?secret=1"}),
        ("/a/alpha-shows", FIREFOX, {"Referer": "http://alpha.localhost/"}),
        ("/a/alpha-shows", PHONE, {}),
        ("/", PHONE, {}),
        (f"/a/alpha-shows/{photo}", PHONE, {}),
        (f"/a/alpha-shows/{photo}/original", PHONE, {}),
    ):
        assert look(guest, path, agent, **more) in (200, 302, 303)
    assert counted(web, world.alpha) == {
        ("views", world.alpha_album): 3,
        ("views", ""): 1,
        ("photos", photo): 1,
        ("downloads", photo): 1,
        ("referrers", "blog.example"): 1,
        ("visitors", ""): 2,
        ("visitors", world.alpha_album): 2,
    }
    assert counted(web, world.beta) == {}
    look(guest, "/a/alpha-shows")
    assert counted(web, world.alpha)[("views", world.alpha_album)] == 4
    assert counted(web, world.alpha)[("visitors", "")] == 2


def test_a_kept_page_is_counted_too(web: Flask, world: World, photo: str) -> None:
    for number in range(5):
        assert look(visitor(web), "/a/alpha-shows", place=f"192.0.2.{number}") == 200
    found = counted(web, world.alpha)
    assert (found[("views", world.alpha_album)], found[("visitors", world.alpha_album)]) == (5, 5)


def test_who_is_not_counted(web: Flask, world: World, photo: str) -> None:
    guest = visitor(web)
    look(guest, "/a/alpha-shows", "Googlebot/2.1 (+http://www.google.com/bot.html)")
    look(guest, "/a/alpha-shows", "")
    look(guest, "/a/alpha-shows", Sec_Purpose="prefetch;prerender")
    look(guest, "/a/alpha-shows?part=tiles")
    look(guest, "/a/alpha-secret")
    look(guest, "/a/nothing-here")
    look(member(web, world.alpha, world.alice), "/a/alpha-shows")
    guest.head("/a/alpha-shows", headers={"User-Agent": FIREFOX})
    assert counted(web, world.alpha) == {}


def test_marks_and_salt_end_with_their_day(web: Flask, world: World) -> None:
    visit = Visit("views", "alpha-shows", "", "192.0.2.1", FIREFOX, "")
    with web.app_context(), open_site(world.alpha) as site:
        today = site.now()
        visits.write(site.session, world.alpha, [visit, visit], now=today)
        before = site.session.scalars(select(VisitMark.mark)).first()
        tables = (VisitMark.__table__, VisitSalt.__table__, VisitCount.__table__)
        stored = "".join(str(site.session.execute(select(table)).all()) for table in tables)
        assert "192.0.2.1" not in stored and "Firefox" not in stored
        visits.forget(site.session, world.alpha, today.date())
        assert site.session.scalars(select(VisitMark.mark)).first() == before
        tomorrow = today + timedelta(days=1)
        visits.forget(site.session, world.alpha, tomorrow.date())
        assert site.session.scalars(select(VisitMark.mark)).all() == site.session.scalars(select(VisitSalt.salt)).all()
        visits.write(site.session, world.alpha, [visit], now=tomorrow)
        assert site.session.scalars(select(VisitMark.mark)).first() != before
        whole: Report = visits.report(site.session, today.date(), tomorrow.date())
        assert [(views, whom) for _, views, whom in whole.days] == [(2, 1), (1, 1)]
        late = today + timedelta(days=visits.KEPT_DAYS + 5)
        visits.forget(site.session, world.alpha, late.date())
        assert site.session.scalars(select(VisitCount)).all() == []


def test_what_waits_is_bounded(web: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_WAITING", 3)
    for _ in range(5):
        look(visitor(web), "/")
    assert counted(web, world.alpha)[("views", "")] == 3


def test_the_page_shows_it(web: Flask, world: World, photo: str) -> None:
    alice = Member(web)
    alice.sign_in("alice")
    assert "Nobody has come by yet" in alice.get("/dashboard/visits").text
    with web.app_context(), open_site(world.alpha) as site:
        seen = [Visit("photos", "alpha-shows", photo, "192.0.2.1", FIREFOX, "blog.example")] * 3
        seen += [Visit("views", "alpha-shows", "", "192.0.2.2", FIREFOX, "")] * 1200
        visits.write(site.session, world.alpha, seen, now=ports().clock.now())
        site.session.commit()
    page = alice.get("/dashboard/visits?days=7").text
    assert "1,200" in page and "blog.example" in page and "alpha shows" in page
    assert page.count('class="chart-views"') == 7
    other = alice.get(f"/dashboard/visits?album={world.alpha_private}").text
    assert "Nobody has come by yet" in other
    assert "1,200" in alice.get(f"/dashboard/visits?album={world.alpha_album}&days=nonsense").text
