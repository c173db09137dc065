"""What visitors leave by a link, and what the link's terms make of it."""

import csv
import io
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import timedelta

import gallery
import pytest
from conftest import World
from flask import Flask
from visits import Browser, give, member, share_link, token_of, visitor

from infra.errors import BlobMissing
from infra.sql import reading
from tenants import guessing, sharing
from tenants.catalog import Album, Asset, album_by_id
from tenants.guessing import Guessed
from tenants.guests import Comment, Favourite, Guest
from tenants.names import original_key
from tenants.news import News
from tenants.proofing import Selection
from tenants.registry import Tenant
from tenants.scope import Site, open_site
from tenants.sharing import GUEST_RIGHTS, Rights, ShareLink
from uploader import placing

ALBUM = "/a/alpha-secret"
EVERYTHING = Rights.DOWNLOAD | GUEST_RIGHTS
WORD = "open sesame please"
GPS = {"private.gps_lat": "52.520008", "private.gps_lon": "13.404954", "camera": "Leica M11", "exposure": "1/250 s"}


@pytest.fixture
def photos(web: Flask, world: World) -> list[str]:
    """Ids of three photos in alpha's private album, the first with everything that a camera writes."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        ids = gallery.fill(site, album, 3)
        site.session.commit()
        site.media.put(ids[0], GPS)
        return ids


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    """Alpha's, through an app of its own. It reads; `rollback` sees the latest."""
    with reading(), open_site(world.alpha) as site:
        yield site


def invite(web: Flask, tenant_id: str, album_id: str, **terms: object) -> str:
    """The path of a new link, written although `site` only reads."""
    with reading(False):
        return share_link(web, tenant_id, album_id, **terms)


def guest(web: Flask, world: World, name: str = "", **terms: object) -> Browser:
    """Someone who came by a link of their own."""
    path = invite(web, world.alpha, world.alpha_private, **{"rights": EVERYTHING, **terms})
    browser = visitor(web)
    if name:
        submit(browser, path, name=name, page=path)
    else:
        assert browser.get(path).status_code == 303
    return browser


def submit(browser: Browser, path: str, *, page: str = "", **fields: object) -> int:
    """As a form of `page` sends it; the status of the answer."""
    return browser.post(path, data={"csrf_token": token_of(browser, page or ALBUM), **fields}).status_code


def change(web: Flask, world: World, table: type, key: tuple[str, ...], **fields: object) -> None:
    with reading(False), web.app_context(), open_site(world.alpha) as site:
        row = site.session.get_one(table, key)
        for name, value in fields.items():
            setattr(row, name, value)
        site.session.commit()


def test_a_name_is_asked_for_and_kept(web: Flask, world: World, photos: list[str], site: Site) -> None:
    path = invite(web, world.alpha, world.alpha_private, rights=EVERYTHING, asks_name=True)
    browser = visitor(web)
    assert 'name="name"' in browser.get(path).text
    assert browser.get(ALBUM).status_code == 404
    assert submit(browser, path, page=path, name=" \u202e\n ") == 422
    assert submit(browser, path, page=path, name=" Zoe\tMiller ") == 303
    assert browser.get(ALBUM).status_code == 200
    assert site.session.query(Guest).one().name == "Zoe Miller"
    link = site.session.query(ShareLink).one()
    assert (link.visits, link.last_visit_at is not None) == (1, True)


def test_favourites_are_the_guests_own(web: Flask, world: World, photos: list[str], site: Site) -> None:
    one, other = guest(web, world), guest(web, world)
    for _ in range(2):
        assert submit(one, f"{ALBUM}/{photos[0]}/favourite", on="1") == 303
    assert site.session.query(Favourite).count() == 1
    assert 'value="0" aria-pressed="true" aria-label="Favourite: Photo IMG_1"' in one.get(ALBUM).text
    assert 'aria-pressed="true"' not in other.get(ALBUM).text
    assert submit(one, f"{ALBUM}/{photos[0]}/favourite", on="0") == 303
    site.session.rollback()
    assert site.session.query(Favourite).count() == 0


@pytest.mark.parametrize("missing", ["favourite", "comments", "picks", "ticket", "add"])
def test_a_link_without_the_right_allows_nothing(web: Flask, world: World, photos: list[str], missing: str) -> None:
    browser = guest(web, world, rights=Rights.DOWNLOAD)
    path = f"{ALBUM}/{missing}" if missing in ("picks", "ticket", "add") else f"{ALBUM}/{photos[0]}/{missing}"
    web.config["WTF_CSRF_ENABLED"] = False
    if missing == "add":
        assert browser.get(path).status_code == 404
    else:
        assert browser.post(path, data={"on": "1", "text": "hello"}).status_code == 404
    assert "heart" not in browser.get(ALBUM).text


def test_a_comment_is_plain_text_that_the_tenant_may_hide(
    web: Flask, world: World, photos: list[str], site: Site
) -> None:
    browser, page = guest(web, world), f"{ALBUM}/{photos[0]}"
    assert submit(browser, f"{page}/comments", page=page, text="<b>Lovely</b>\n\x07two lines") == 303
    assert "&lt;b&gt;Lovely&lt;/b&gt;\ntwo lines" in browser.get(page).text
    assert submit(browser, f"{page}/comments", page=page, text="x" * 1001) == 422
    assert submit(browser, f"{page}/comments", page=page, text=" \n ") == 422
    assert [(item.kind.value, item.about) for item in site.session.query(News)] == [
        ("comment", "<b>Lovely</b>\ntwo lines")
    ]
    comment = site.session.query(Comment).one().id
    alice = member(web, world.alpha, world.alice)
    base = f"/dashboard/albums/{world.alpha_private}"
    assert submit(alice, f"{base}/comments/{comment}/hide", page=f"{base}/guests", hidden="1") == 303
    assert "Lovely" not in browser.get(page).text
    stranger = guest(web, world)
    assert submit(stranger, f"{page}/comments/{comment}/delete", page=page) == 404
    assert submit(browser, f"{page}/comments/{comment}/delete", page=page) == 303
    site.session.rollback()
    assert site.session.query(Comment).count() == 0


def test_a_selection_is_bounded_locked_and_opened_again(
    web: Flask, world: World, photos: list[str], site: Site
) -> None:
    browser, page = guest(web, world, choose_at_most=2), f"{ALBUM}/picks"
    for photo in photos:
        submit(browser, f"{ALBUM}/{photo}/favourite", on="1")
    assert submit(browser, page, page=page, asset=photos, name="Album", do="send") == 422
    assert site.session.query(Selection).count() == 0
    assert submit(browser, page, page=page, asset=[], name="Album", do="send") == 422
    assert submit(browser, page, page=page, asset=photos[:2], name="Album", do="send") == 303
    site.session.rollback()
    made = site.session.query(Selection).one()
    assert (made.name, made.submitted_at is not None) == ("Album", True)
    assert submit(browser, page, page=ALBUM, selection=made.id, asset=photos[:1]) == 409
    assert submit(guest(web, world), page, page=ALBUM, selection=made.id, asset=photos[:1]) == 404

    alice, base = member(web, world.alpha, world.alice), f"/dashboard/albums/{world.alpha_private}"
    exported = alice.get(f"{base}/selections/{made.id}/export/txt")
    assert exported.text == "IMG_1, IMG_2\n"
    rows = list(csv.reader(io.StringIO(alice.get(f"{base}/selections/{made.id}/export/csv").text.lstrip("\ufeff"))))
    assert rows[1:] == [["IMG_1.jpg", "", "", "Album"], ["IMG_2.jpg", "", "", "Album"]]
    assert submit(alice, f"{base}/selections/{made.id}/reopen", page=f"{base}/guests") == 303
    assert submit(browser, page, page=page, selection=made.id, asset=photos[:1]) == 303


def test_an_export_runs_nothing_in_a_spreadsheet(web: Flask, world: World, photos: list[str], site: Site) -> None:
    browser = guest(web, world, "=HYPERLINK(1)", asks_name=True)
    change(web, world, Asset, (world.alpha, photos[0]), caption="@SUM(1)", filename="-2+3.jpg")
    submit(browser, f"{ALBUM}/{photos[0]}/favourite", on="1")
    made = site.session.query(Guest).one()
    alice = member(web, world.alpha, world.alice)
    text = alice.get(f"/dashboard/albums/{world.alpha_private}/guests/{made.id}/export/csv").text.lstrip("\ufeff")
    assert list(csv.reader(io.StringIO(text)))[1] == ["'-2+3.jpg", "'@SUM(1)", "'=HYPERLINK(1)", "Favourites"]


def test_a_selection_becomes_an_album(web: Flask, world: World, photos: list[str], site: Site) -> None:
    with reading(False), web.app_context(), open_site(world.alpha) as other:
        album = album_by_id(other.session, world.alpha, world.alpha_private)
        assert album is not None
        kept = gallery.add_photo(other, album, gallery.shot(gallery.sources()[0]), caption="Dawn", original=True).id
        other.session.commit()
    browser = guest(web, world)
    submit(browser, f"{ALBUM}/{kept}/favourite", on="1")
    made = site.session.query(Guest).one()
    alice, base = member(web, world.alpha, world.alice), f"/dashboard/albums/{world.alpha_private}"
    assert submit(alice, f"{base}/guests/{made.id}/copy", page=f"{base}/guests") == 303
    site.session.rollback()
    copy = site.session.query(Album).filter(Album.title.startswith("alpha secret: ")).one()
    (asset,) = site.session.query(Asset).filter(Asset.album_id == copy.id)
    source = site.session.get_one(Asset, (world.alpha, kept))
    assert (asset.caption, asset.sha256, asset.state.value) == ("Dawn", source.sha256, "received")
    original, size = original_key(world.alpha, asset.id, source.sha256), source.size
    assert copy.visibility.value == "private"
    with pytest.raises(BlobMissing):
        site.blobs.stat(original)
    site.session.rollback()
    with reading(False), web.app_context():
        assert placing.place_once() == 1
    assert site.blobs.stat(original).size == size


# --- Terms of a link ------------------------------------------------------------------------------------------------


def test_a_pin_lets_download_who_may_look_anyway(web: Flask, world: World, photos: list[str]) -> None:
    browser = guest(web, world, pin_hash=sharing.hash_pin("246810"), rights=Rights.VIEW | Rights.WEB)
    download = f"{ALBUM}/{photos[0]}/web"
    assert browser.get(ALBUM).status_code == 200
    assert browser.get(download).status_code == 404
    assert submit(browser, f"{ALBUM}/pin", page=f"{ALBUM}/pin", pin="111111") == 422
    assert submit(browser, f"{ALBUM}/pin", page=f"{ALBUM}/pin", pin="246 810") == 303
    answer = browser.get(download)
    assert answer.headers["Content-Disposition"] == "attachment; filename=IMG_1.jpg"
    assert answer.data[:2] == b"\xff\xd8"
    assert browser.get(f"{ALBUM}/{photos[0]}/original").status_code == 404


def test_visits_end_at_their_number(web: Flask, world: World, photos: list[str]) -> None:
    path = invite(web, world.alpha, world.alpha_private, max_visits=2)
    first, second, third = (visitor(web) for _ in range(3))
    assert [each.get(path).status_code for each in (first, second, first, third)] == [303, 303, 303, 410]
    assert (second.get(ALBUM).status_code, third.get(ALBUM).status_code) == (200, 404)


def test_revoking_one_link_leaves_the_other(web: Flask, world: World, photos: list[str], site: Site) -> None:
    one, other = guest(web, world, label="one"), guest(web, world, label="other")
    link = site.session.query(ShareLink).filter(ShareLink.label == "one").one()
    change(web, world, ShareLink, (world.alpha, link.id), revoked_at=site.now())
    assert (one.get(ALBUM).status_code, other.get(ALBUM).status_code) == (404, 200)


def test_guessing_costs_the_guesser_a_growing_wait(web: Flask, world: World, shared: str) -> None:
    path = invite(web, world.alpha, world.alpha_private, password=WORD)
    guesser = visitor(web)
    guesser.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    free = guessing.FREE_FAILURES
    assert [give(guesser, path, "guess") for _ in range(free + 1)] == [422] * (free + 1)
    refused = guesser.post(path, data={"csrf_token": token_of(guesser, path), "password": WORD})
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 5
    assert "Try again in" in refused.text
    fresh = visitor(web)
    fresh.environ_base["REMOTE_ADDR"] = "198.51.100.99"  # Another cookie and another address of the same network.
    assert give(fresh, path, WORD) == 429
    neighbour = visitor(web)
    neighbour.environ_base["REMOTE_ADDR"] = "198.51.101.7"
    assert give(neighbour, path, WORD) == 303


def test_waits_double_and_are_forgotten(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        now = site.now()
        link, _ = sharing.create_link(site.session, album, "secret", now=now)

        def attempt(where: str = "here") -> float:
            return guessing.book(site.session, link, Guessed.PIN, where, now=now).total_seconds()

        assert [attempt() for _ in range(5)] == [0, 0, 0, 0, 5]
        assert attempt() == 5  # Asking while it lasts makes it no longer.
        for wait in (5, 10, 20, 40):
            now += timedelta(seconds=wait)
            assert attempt() == 0
            assert attempt() == 2 * wait
        assert attempt("elsewhere") == 0
        assert guessing.wait_after(10_000) == guessing.LONGEST_WAIT
        guessing.forget(site.session, link, Guessed.PIN, "here")
        assert [attempt() for _ in range(guessing.FREE_FAILURES)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("::ffff:192.0.2.1", "192.0.2.9", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("", None, True),
    ],
)
def test_a_place_is_a_network(one: str | None, other: str | None, same: bool) -> None:
    assert (guessing.place("secret", one) == guessing.place("secret", other)) == same
    assert guessing.place("secret", one) != guessing.place("another secret", one)


# --- What pages tell of a photo ---------------------------------------------------------------------------------------


def pages(browser: Browser, photo: str) -> str:
    """Everything that a visitor gets about the photo, headers and cookies included."""
    paths = (ALBUM, f"{ALBUM}/{photo}", f"{ALBUM}/{photo}/details", f"{ALBUM}/tiles?ids={photo}", f"{ALBUM}/picks", "/")
    return "\n".join(f"{answer.headers}\n{answer.text}" for answer in (browser.get(path) for path in paths))


def test_a_place_never_leaves_unless_the_tenant_says_so(web: Flask, world: World, photos: list[str]) -> None:
    browser = guest(web, world)
    submit(browser, f"{ALBUM}/{photos[0]}/favourite", on="1")
    seen = pages(browser, photos[0])
    assert "Leica M11" in seen
    for part in ("52.52", "13.40", "openstreetmap", "gps"):
        assert part not in seen
    change(web, world, Tenant, (world.alpha,), place=True)
    assert "mlat=52.52001" in pages(browser, photos[0])
    change(web, world, Album, (world.alpha, world.alpha_private), place=False)
    assert "52.52" not in pages(browser, photos[0])


@pytest.mark.parametrize(
    ("capture", "camera", "date"), [("none", False, False), ("camera", True, False), ("date", True, True)]
)
def test_capture_data_as_far_as_allowed(
    web: Flask, world: World, photos: list[str], monkeypatch: pytest.MonkeyPatch, capture: str, camera: bool, date: bool
) -> None:
    monkeypatch.setattr("webapp.site.listing.PAGE_SIZE", 2)
    change(web, world, Tenant, (world.alpha,), capture="date" if capture == "none" else "none")
    change(web, world, Album, (world.alpha, world.alpha_private), capture=capture)
    browser = guest(web, world)
    seen = pages(browser, photos[0])
    assert ("Leica M11" in seen, "1/250 s" in seen) == (camera, camera)
    assert ("Jun 2024" in seen or "June 2024" in seen) == date
    following = re.search(r'id="more" href="([^"]+)"', seen)
    assert following is not None
    payload = following[1].partition("after=")[2].partition(".")[0]
    assert (b"2024" in urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) == date
    assert "IMG_3" in browser.get(following[1]).text
