"""Pages are kept for visitors without a cookie, until something changes that they show, and for nobody else."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gallery
import pytest
from conftest import World
from flask import Flask
from statements import statements
from visits import BETA, Browser, member, share_link, visitor

import wsgi
from infra.settings import Settings
from tenants import catalog, nesting
from tenants.catalog import Album, Asset, AssetState, Ordering, Rendition, Visibility, album_by_id
from tenants.db import db
from tenants.domains import Domain
from tenants.prepared import Asking
from tenants.registry import Layout, TenantState
from tenants.scope import Site, open_site

pytestmark = pytest.mark.every_database

ALBUM = "/a/alpha-shows"


@contextmanager
def changing(web: Flask, tenant: str) -> Iterator[Site]:
    with web.app_context(), open_site(tenant) as site:
        yield site
        site.session.commit()


@pytest.fixture
def photos(web: Flask, world: World) -> list[str]:
    with changing(web, world.alpha) as site:
        return gallery.fill_rows(site, album_of(site, world.alpha_album), 5)


def album_of(site: Site, album_id: str) -> Album:
    found = album_by_id(site.session, site.tenant_id, album_id)
    assert found is not None
    return found


def queries(web: Flask, path: str, **headers: str) -> tuple[int, str]:
    """How many statements a new visitor's page costs beside the one for the edition, and its text."""
    with statements(web) as seen:
        answer = visitor(web).get(path, headers=headers)
    assert answer.status_code == 200
    return len(seen), answer.text


def test_the_second_visitor_gets_what_the_first_got(web: Flask, photos: list[str]) -> None:
    for path in ("/", ALBUM):
        made, first = queries(web, path)
        kept, second = queries(web, path)
        assert made > 0 and kept == 0
        assert second == first


def test_an_unchanged_page_is_not_sent_again(web: Flask, photos: list[str]) -> None:
    first = visitor(web).get(ALBUM)
    again = visitor(web).get(ALBUM, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
    other = visitor(web).get(ALBUM, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200 and other.text == first.text


def test_it_is_sent_compressed_to_whoever_takes_that(web: Flask, photos: list[str]) -> None:
    plain = visitor(web).get(ALBUM)
    small = visitor(web).get(ALBUM, headers={"Accept-Encoding": "br, gzip"})
    refused = visitor(web).get(ALBUM, headers={"Accept-Encoding": "gzip;q=0"})
    assert small.headers["Content-Encoding"] == "gzip" and len(small.data) * 4 < len(plain.data)
    assert gzip.decompress(small.data) == plain.data == refused.data
    assert {"Accept-Encoding", "Accept-Language", "Cookie", "Host"} <= set(small.vary)
    assert len(small.headers["Vary"].split(", ")) == len(set(small.vary))


def test_each_language_is_a_page_of_its_own(web: Flask, photos: list[str]) -> None:
    for tag in ("de", "en", "fr", "de"):
        assert f'<html lang="{tag}"' in visitor(web).get(ALBUM, headers={"Accept-Language": tag}).text
    chosen = visitor(web).get(f"{ALBUM}?lang=fr")
    assert "Set-Cookie" in chosen.headers
    assert "Set-Cookie" in visitor(web).get(f"{ALBUM}?lang=fr").headers  # It is not kept: the cookie is for each.


def test_whoever_has_a_session_gets_a_page_of_their_own(web: Flask, world: World, photos: list[str]) -> None:
    visitor(web).get(ALBUM)
    alice = member(web, world.alpha, world.alice)
    assert "Edit album" in alice.get(ALBUM).text
    assert "Edit album" not in visitor(web).get(ALBUM).text
    guest = visitor(web)
    assert guest.get(share_link(web, world.alpha, world.alpha_private), follow_redirects=True).status_code == 200
    assert guest.get("/a/alpha-secret").status_code == 200
    assert visitor(web).get("/a/alpha-secret").status_code == 404


def test_a_tenants_page_is_never_anothers(web: Flask, world: World) -> None:
    """The same path, query and language on both hosts, each asked first in turn."""
    for first, second in ((visitor(web), visitor(web, BETA)), (visitor(web, BETA), visitor(web))):
        pages = [each.get("/").text for each in (first, second, first, second)]
        assert pages[0] == pages[2] and pages[1] == pages[3] and pages[0] != pages[1]


def test_a_page_with_photos_on_their_way_is_not_kept(web: Flask, world: World) -> None:
    with changing(web, world.alpha) as site:
        waiting = gallery.add_waiting(site, album_of(site, world.alpha_album)).id
    assert "7" not in (before := visitor(web).get(ALBUM).text).partition('class="percent"')[2][:12], before
    with changing(web, world.alpha) as site:
        site.session.get_one(Asset, (world.alpha, waiting)).progress = 70
    assert "70" in visitor(web).get(ALBUM).text.partition('class="percent"')[2][:12]


def caption(site: Site, world: World, photos: list[str]) -> None:
    site.session.get_one(Asset, (world.alpha, photos[0])).caption = "Fog"


def trash(site: Site, world: World, photos: list[str]) -> None:
    site.session.get_one(Asset, (world.alpha, photos[0])).deleted_at = site.now()


def hold(site: Site, world: World, photos: list[str]) -> None:
    site.session.get_one(Asset, (world.alpha, photos[0])).held = True


def fail(site: Site, world: World, photos: list[str]) -> None:
    site.session.get_one(Asset, (world.alpha, photos[0])).state = AssetState.FAILED


def rendition(site: Site, world: World, photos: list[str]) -> None:
    site.session.delete(site.session.get_one(Rendition, (world.alpha, photos[0], 1, "w320.webp")))


def order(site: Site, world: World, photos: list[str]) -> None:
    site.session.get_one(Asset, (world.alpha, photos[0])).position = 10**9
    album_of(site, world.alpha_album).ordering = Ordering.MANUAL


def move(site: Site, world: World, photos: list[str]) -> None:
    site.session.get_one(Asset, (world.alpha, photos[0])).album_id = world.alpha_private


def title(site: Site, world: World, photos: list[str]) -> None:
    album_of(site, world.alpha_album).title = "Another title"


def layout(site: Site, world: World, photos: list[str]) -> None:
    album_of(site, world.alpha_album).layout = Layout.STORY


def inside(site: Site, world: World, photos: list[str]) -> None:
    album = album_of(site, world.alpha_album)
    child = catalog.create_album(site.session, world.alpha, "Inside", now=site.now(), visibility=Visibility.PUBLIC)
    nesting.put(site.session, child, album)


def accent(site: Site, world: World, photos: list[str]) -> None:
    site.tenant.brand.accent = "#1f6f43"


def name(site: Site, world: World, photos: list[str]) -> None:
    site.tenant.name = "Alpha & Sons"


def domain(site: Site, world: World, photos: list[str]) -> None:
    site.session.add(
        Domain(host="photos.example.com", tenant_id=world.alpha, created_at=site.now(), verified_at=site.now())
    )


@pytest.mark.parametrize(
    "change",
    [caption, trash, hold, fail, rendition, order, move, title, layout, accent, name, domain],
    ids=lambda change: change.__name__,
)
def test_the_next_page_shows_what_changed(
    web: Flask, world: World, photos: list[str], change: Callable[[Site, World, list[str]], None]
) -> None:
    before = visitor(web).get(ALBUM).text
    assert visitor(web).get(ALBUM).text == before
    with changing(web, world.alpha) as site:
        change(site, world, photos)
    after = visitor(web).get(ALBUM).text
    assert after != before
    made_now = Browser(web, web.response_class, use_cookies=True)
    made_now.set_cookie("other", "1", domain="alpha.localhost")  # Whoever has a cookie gets a page that is made anew.
    assert made_now.get(ALBUM).text == after


def test_what_a_page_asked_last_time_it_asks_at_once(web: Flask, world: World, photos: list[str]) -> None:
    """And when it guessed wrong, since the album is in another order, it asks again."""
    messages: list[int] = []

    def asked(change: Callable[[Site], object]) -> int:
        with changing(web, world.alpha) as site:
            change(site)
        before = len(messages)
        assert visitor(web).get(ALBUM).status_code == 200
        return len(messages) - before

    ask = Asking.ask
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asking, "ask", lambda *args: messages.append(len(args)) or ask(*args))
        caption = site_change(world, photos)
        asked(caption("one"))
        assert asked(caption("two")) == 1
        assert asked(lambda site: setattr(album_of(site, world.alpha_album), "ordering", Ordering.NAME)) > 1
        assert asked(caption("three")) == 1


def site_change(world: World, photos: list[str]) -> Callable[[str], Callable[[Site], object]]:
    """Makes changes of a photo's caption."""
    return lambda text: lambda site: setattr(site.session.get_one(Asset, (world.alpha, photos[0])), "caption", text)


def test_a_part_of_every_page_changes_with_its_tenant(web: Flask, world: World, photos: list[str]) -> None:
    assert "Powered by" not in visitor(web).get(ALBUM).text
    with changing(web, world.alpha) as site:
        site.tenant.brand.footer_links = [{"label": "Imprint", "url": "https://alpha.example/imprint"}]
    assert ">Imprint</a>" in visitor(web).get(ALBUM).text
    assert ">Imprint</a>" not in visitor(web, BETA).get("/").text
    assert 'aria-label="Sprache"' in visitor(web).get(ALBUM, headers={"Accept-Language": "de"}).text
    with changing(web, world.alpha) as site:
        site.tenant.brand.footer_links = []
    assert ">Imprint</a>" not in visitor(web).get(ALBUM).text


def test_an_album_that_is_closed_is_gone_at_once(web: Flask, world: World, photos: list[str]) -> None:
    assert visitor(web).get(ALBUM).status_code == 200
    with changing(web, world.alpha) as site:
        album_of(site, world.alpha_album).visibility = Visibility.PRIVATE
    assert visitor(web).get(ALBUM).status_code == 404
    assert "alpha-shows" not in visitor(web).get("/").text


def test_a_suspended_tenants_pages_are_gone_at_once(web: Flask, world: World, photos: list[str]) -> None:
    assert visitor(web).get(ALBUM).status_code == 200
    with changing(web, world.alpha) as site:
        site.tenant.state = TenantState.SUSPENDED
    assert visitor(web).get(ALBUM).status_code == 403


def test_another_tenants_change_leaves_a_page_kept(web: Flask, world: World, photos: list[str]) -> None:
    queries(web, ALBUM)
    with changing(web, world.beta) as site:
        site.tenant.name = "Beta now"
    assert queries(web, ALBUM)[0] == 0


def test_a_worker_at_work_leaves_pages_kept(web: Flask, world: World, photos: list[str], database: str) -> None:
    """Leases and heartbeats change rows all the time. (On SQLite they count: it has one machine's visitors.)"""
    queries(web, ALBUM)
    with changing(web, world.alpha) as site:
        site.session.get_one(Asset, (world.alpha, photos[0])).fence += 1
    assert (queries(web, ALBUM)[0] == 0) is (database != "sqlite")


def test_what_comes_after_a_workers_change_in_one_transaction_counts(
    web: Flask, world: World, photos: list[str]
) -> None:
    """The trigger comes to each changed row, and stops looking after the first one that counts."""
    before = visitor(web).get(ALBUM).text
    with changing(web, world.alpha) as site:
        first, second = (site.session.get_one(Asset, (world.alpha, photo)) for photo in photos[:2])
        first.fence += 1
        site.session.flush()
        second.caption = "Seen after all"
        site.session.flush()
        first.fence += 1
    after = visitor(web).get(ALBUM).text
    assert "Seen after all" in after and "Seen after all" not in before


def test_what_was_rolled_back_changes_nothing(web: Flask, world: World, photos: list[str]) -> None:
    queries(web, ALBUM)
    with web.app_context(), open_site(world.alpha) as site:
        site.tenant.name = "Never"
        site.session.flush()
        site.session.rollback()
    assert queries(web, ALBUM)[0] == 0


def test_nothing_is_kept_where_that_is_switched_off(settings: Settings, world: World) -> None:
    app = wsgi.make_web(settings.model_copy(update={"kept_pages_mb": 0}))
    first = visitor(app).get(ALBUM)
    assert first.status_code == 200 and "ETag" not in first.headers
    with app.app_context():
        db.engine.dispose()
