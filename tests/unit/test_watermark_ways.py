"""Who is to see the watermark never gets a byte without it: every way in, with every right, wherever it is asked for.

A crawler follows whatever addresses stand in what it is given, as a curious visitor would, and keeps all answers.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import gallery
import pytest
from conftest import World
from flask import Flask
from PIL import Image, ImageOps
from sqlalchemy import select
from visits import ALPHA, Browser, member, share_link, visitor

from tenants import embeds
from tenants.catalog import Album, Asset, Rendition, Visibility
from tenants.delivery import by_openness
from tenants.names import marked_name, original_key, rendition_key
from tenants.registry import Tenant
from tenants.scope import Site, open_site
from tenants.sharing import Rights, ShareLink

SHOP = "https://shop.example"
ADDRESS = re.compile(r"(?:http://alpha\.localhost)?(/(?!/)[A-Za-z0-9_~./?=&%:;,@-]*[A-Za-z0-9_~/=-])")
NOT_FOLLOWED = ("/static/", "/dashboard", "/brand/", "/language", "/favicon", "/site.webmanifest", "/search.xml")
MOST = 300
SAMPLE = slice(-400, -100)
"""Of a file's bytes: in the coded pixels, and unlike those of any other."""


@dataclass(frozen=True)
class Gallery:
    """An album with one photo that has a plain and a marked rendition of each size."""

    album: str
    slug: str
    asset: str
    plain: tuple[bytes, ...]
    marked: tuple[bytes, ...]
    original: bytes


@pytest.fixture
def shown(web: Flask, world: World) -> Gallery:
    with web.app_context(), open_site(world.alpha) as site:
        album = site.session.get_one(Album, (world.alpha, world.alpha_album))
        album.originals = True
        shot = gallery.shot(gallery.sources()[0])
        asset = gallery.add_photo(site, album, shot, filename="boat.jpg", original=True)
        marked = tuple(add_marked(site, asset.id, name, *about) for name, about in shot.renditions.items())
        site.session.commit()
        plain = tuple(data for data, *_ in shot.renditions.values())
        return Gallery(album.id, album.slug, asset.id, plain, marked, shot.path.read_bytes())


def add_marked(site: Site, asset_id: str, name: str, data: bytes, content_type: str, width: int, height: int) -> bytes:
    """What stands for the marked rendition here is the plain one in other colours."""
    out = BytesIO()
    ImageOps.invert(Image.open(BytesIO(data)).convert("RGB")).save(out, "JPEG" if "jpeg" in content_type else "WEBP")
    stored = marked_name(name)
    site.blobs.put(rendition_key(site.tenant_id, asset_id, 1, stored), out.getvalue(), content_type=content_type)
    about = {"content_type": content_type, "width": width, "height": height, "size": len(out.getvalue())}
    site.session.add(Rendition(tenant_id=site.tenant_id, asset_id=asset_id, generation=1, name=stored, **about))
    return out.getvalue()


@dataclass
class Crawl:
    """Every answer to a browser that follows all that it finds."""

    browser: Browser
    headers: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)

    def follow(self, *starts: str) -> "Crawl":
        waiting = list(starts)
        while waiting and len(self.bodies) < MOST:
            path = waiting.pop()
            if path in self.bodies or path.startswith(NOT_FOLLOWED):
                continue
            answer = self.browser.get(path, headers=self.headers, follow_redirects=True)
            self.bodies[path] = answer.data if answer.status_code == 200 else b""
            if answer.mimetype in ("text/html", "application/json", "text/vtt"):
                text = html.unescape(answer.text).replace("\\/", "/").replace("\\u002f", "/")
                waiting += [found for found in ADDRESS.findall(text) if found not in self.bodies]
        assert len(self.bodies) < MOST, "the crawler never came to an end"
        return self

    def found(self, pieces: tuple[bytes, ...]) -> list[str]:
        return [path for path, body in self.bodies.items() for piece in pieces if piece[SAMPLE] in body]

    def cards(self) -> list[bytes]:
        return [body for path, body in self.bodies.items() if "/card.jpg" in path and body]


def set_marks(web: Flask, world: World, where: str, value: bool | None = True) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        things: dict[str, Any] = {
            "tenant": site.session.get_one(Tenant, world.alpha),
            "album": site.session.get_one(Album, (world.alpha, world.alpha_album)),
            "link": site.session.scalars(select(ShareLink)).first(),
        }
        things[where].marks = value
        site.session.commit()
    web.extensions["vitrine.standings"].clear()


def make_private(web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = site.session.get_one(Album, (world.alpha, world.alpha_album))
        album.visibility, album.originals = Visibility.PRIVATE, False
        site.session.commit()


def starts(shown: Gallery) -> list[str]:
    """Pages, and addresses that one who knows the software tries."""
    album, photo = f"/a/{shown.slug}", f"/a/{shown.slug}/{shown.asset}"
    page = f"url=http%3A%2F%2Falpha.localhost{photo.replace('/', '%2F')}"
    return [
        "/",
        "/search?q=boat",
        "/card.jpg",
        f"{album}/card.jpg",
        album,
        photo,
        f"{photo}/details",
        f"{photo}/web",
        f"{photo}/original",
        f"{photo}/full",
        f"{album}/download",
        f"{album}/zip?size=web",
        f"{album}/zip?size=original",
        f"{album}/zip?size=full",
        f"/embed/{shown.slug}",
        f"/embed/{shown.slug}/{shown.asset}",
        f"/embed/{shown.slug}/{shown.asset}/w640.jpg",
        f"/embed/{shown.slug}/{shown.asset}/m/w640.jpg",
        f"/oembed?{page}",
        f"/oembed?format=xml&{page}",
    ]


Way = Callable[[Flask, World, Gallery], Crawl]


def by_address(web: Flask, world: World, shown: Gallery) -> Crawl:
    return Crawl(visitor(web)).follow(*starts(shown))


def by_link(rights: Rights, **terms: Any) -> Way:
    def come(web: Flask, world: World, shown: Gallery) -> Crawl:
        make_private(web, world)
        guest = visitor(web)
        assert guest.get(share_link(web, world.alpha, shown.album, rights=rights, **terms)).status_code == 303
        return Crawl(guest).follow(*starts(shown))

    return come


def by_frame(web: Flask, world: World, shown: Gallery) -> Crawl:
    make_private(web, world)
    with web.app_context(), open_site(world.alpha) as site:
        album = site.session.get_one(Album, (world.alpha, shown.album))
        key = embeds.create(site.session, world.alpha, [SHOP], now=site.now(), album=album).key
        site.session.commit()
    asked = {"Referer": f"{SHOP}/", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}
    return Crawl(visitor(web), asked).follow(f"/embed/~{key}", *starts(shown))


WAYS: dict[str, Way] = {
    "address": by_address,
    "link to look": by_link(Rights.VIEW),
    "link to web size": by_link(Rights.VIEW | Rights.WEB),
    "link to originals": by_link(Rights.DOWNLOAD),
    "frame": by_frame,
}


@pytest.mark.parametrize("way", WAYS)
def test_without_a_mark_the_crawler_finds_plain_pictures(way: str, web: Flask, world: World, shown: Gallery) -> None:
    """Else the tests below would prove nothing."""
    crawl = WAYS[way](web, world, shown)
    assert crawl.found(shown.plain)
    assert not crawl.found(shown.marked)
    assert bool(crawl.found((shown.original,))) is (way in ("address", "link to originals"))


@pytest.mark.parametrize("where", ["tenant", "album"])
@pytest.mark.parametrize("way", WAYS)
def test_under_a_mark_nothing_plain_is_found(way: str, where: str, web: Flask, world: World, shown: Gallery) -> None:
    set_marks(web, world, where)
    crawl = WAYS[way](web, world, shown)
    assert crawl.found(shown.marked)
    assert not crawl.found(shown.plain)
    assert not crawl.found((shown.original,))


@pytest.mark.parametrize("rights", [Rights.VIEW, Rights.VIEW | Rights.WEB, Rights.DOWNLOAD])
def test_a_links_own_word_goes_before_the_albums(rights: Rights, web: Flask, world: World, shown: Gallery) -> None:
    crawl = by_link(rights, marks=True)(web, world, shown)
    assert crawl.found(shown.marked)
    assert not crawl.found((*shown.plain, shown.original))


def test_a_link_without_the_mark_shows_plain_pictures_and_gives_originals(
    web: Flask, world: World, shown: Gallery
) -> None:
    set_marks(web, world, "tenant")
    crawl = by_link(Rights.DOWNLOAD, marks=False)(web, world, shown)
    assert crawl.found(shown.plain)
    assert crawl.found((shown.original,))
    assert not crawl.found(shown.marked)


def test_an_albums_word_goes_before_the_tenants(web: Flask, world: World, shown: Gallery) -> None:
    set_marks(web, world, "tenant")
    set_marks(web, world, "album", False)
    crawl = by_address(web, world, shown)
    assert crawl.found(shown.plain)
    assert not crawl.found(shown.marked)


def test_the_cards_of_other_sites_show_what_everybody_sees(web: Flask, world: World, shown: Gallery) -> None:
    plain, *_ = (
        Image.open(BytesIO(card)).resize((1, 1)).getpixel((0, 0)) for card in by_address(web, world, shown).cards()
    )
    set_marks(web, world, "album")
    for browser in (visitor(web), member(web, world.alpha, world.alice)):
        cards = Crawl(browser).follow(*starts(shown)).cards()
        assert len(cards) >= 2
        for card in cards:
            colour = Image.open(BytesIO(card)).resize((1, 1)).getpixel((0, 0))
            assert isinstance(colour, tuple)
            assert isinstance(plain, tuple)
            assert max(abs(255 - one - other) for one, other in zip(colour, plain, strict=True)) < 24


@dataclass(frozen=True)
class Addresses:
    """Of the same picture in an open album: as a page showed it before there was a mark, and after."""

    before: str
    after: str


@pytest.fixture
def addresses(web: Flask, world: World, shown: Gallery) -> Addresses:
    found = []
    for marks in (False, True):
        set_marks(web, world, "album", marks)
        page = visitor(web).get(f"/a/{shown.slug}").text
        (one,) = {each for each in ADDRESS.findall(page) if each.startswith("/m/") and each.endswith("w320.jpg")}
        found.append(one)
    return Addresses(*found)


def test_an_address_from_before_the_mark_opens_nothing(web: Flask, addresses: Addresses) -> None:
    assert visitor(web).get(addresses.before).status_code == 404
    assert visitor(web).get(addresses.after).status_code == 200


def test_and_opens_again_when_the_mark_is_taken_away(
    web: Flask, world: World, shown: Gallery, addresses: Addresses
) -> None:
    set_marks(web, world, "album", False)
    assert visitor(web).get(addresses.before).data in shown.plain


def test_no_address_turns_into_that_of_the_plain_picture(web: Flask, addresses: Addresses) -> None:
    """Even where plain pictures may be seen by the same way: a token is good for one kind."""
    marked, plain = addresses.after, addresses.before
    head, _, tail = marked.rpartition("/m/")
    guesses = [f"{head}/{tail}", f"{head}/./{tail}", f"{head}/m/../{tail}", f"{head}/m//../{tail}", f"{head}/M/{tail}"]
    guesses += [f"{head}/m%2f..%2f{tail}", f"{head}/%6d/../{tail}", f"{head}//{tail}"]
    guesses.append("/".join([*plain.split("/")[:3], marked.split("/")[3], *plain.split("/")[4:]]))
    for guess in guesses:
        answer = visitor(web).get(guess)
        assert answer.status_code in (308, 404), guess
        if answer.status_code == 308:
            assert visitor(web).get(answer.headers["Location"].removeprefix(ALPHA)).status_code == 404


def test_a_token_is_of_one_kind_even_while_both_may_be_seen(web: Flask, world: World, shown: Gallery) -> None:
    way = by_openness(shown.album)
    with web.app_context(), open_site(world.alpha) as site:
        plain, marked = (site.generation_token(way, shown.asset, 1, marked=marked) for marked in (False, True))
    base = f"{shown.asset}/1"
    assert visitor(web).get(f"/m/{plain}/{base}/w320.jpg").status_code == 200
    assert visitor(web).get(f"/m/{marked}/{base}/w320.jpg").status_code == 404
    assert visitor(web).get(f"/m/{plain}/{base}/m/w320.jpg").status_code == 404


def test_members_see_plain_pictures_and_have_their_originals(web: Flask, world: World, shown: Gallery) -> None:
    set_marks(web, world, "tenant")
    crawl = Crawl(member(web, world.alpha, world.alice)).follow(*starts(shown))
    assert crawl.found((shown.original,))
    plain = crawl.found(shown.plain)
    assert plain
    # Frames and what other sites fetch are as everybody sees them, whoever is signed in.
    assert all(path.startswith(("/m/t", "/a/")) for path in plain), plain


@pytest.mark.parametrize("way", WAYS)
def test_before_there_is_a_marked_rendition_there_is_none_to_see(
    way: str, web: Flask, world: World, shown: Gallery
) -> None:
    set_marks(web, world, "tenant")
    with web.app_context(), open_site(world.alpha) as site:
        for row in site.session.scalars(select(Rendition).where(Rendition.name.startswith("m/"))):
            site.session.delete(row)
        site.session.commit()
    crawl = WAYS[way](web, world, shown)
    assert not crawl.found((*shown.plain, *shown.marked, shown.original))
    pages = [path for path in crawl.bodies if path in (f"/a/{shown.slug}", f"/a/{shown.slug}/{shown.asset}")]
    assert len(pages) == 2
    if way != "frame":
        assert all(b"Processing" in crawl.bodies[page] for page in pages)


def test_a_lost_marked_rendition_is_not_answered_with_a_plain_one(
    web: Flask, world: World, shown: Gallery, addresses: Addresses
) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.blobs.delete(rendition_key(world.alpha, shown.asset, 1, "m/w320.jpg"))
    answer = visitor(web).get(addresses.after)
    assert answer.status_code == 200
    assert answer.data in shown.marked
    with web.app_context(), open_site(world.alpha) as site:
        for name in ("m/w640.jpg", "m/w320.webp", "m/w640.webp"):
            site.blobs.delete(rendition_key(world.alpha, shown.asset, 1, name))
    answer = visitor(web).get(addresses.after)
    assert answer.status_code == 503
    assert not [piece for piece in shown.plain if piece[SAMPLE] in answer.data]


def test_no_original_by_its_own_address_under_a_mark(web: Flask, world: World, shown: Gallery) -> None:
    set_marks(web, world, "album")
    with web.app_context(), open_site(world.alpha) as site:
        asset = site.session.get_one(Asset, (world.alpha, shown.asset))
        assert site.blobs.stat(original_key(world.alpha, asset.id, asset.sha256)).size == len(shown.original)
    path = f"/a/{shown.slug}/{shown.asset}/original"
    assert visitor(web).get(path).status_code == 404
    assert visitor(web).get(path, headers={"Range": "bytes=0-99"}).status_code == 404
    assert visitor(web).get(f"/a/{shown.slug}/zip?size=original").status_code == 404


@pytest.mark.parametrize(
    ("rights", "marks", "given"),
    [
        (Rights.DOWNLOAD, True, True),
        (Rights.DOWNLOAD, None, True),
        (Rights.VIEW | Rights.WEB, True, False),
        (Rights.VIEW, True, False),
        (Rights.DOWNLOAD, False, False),
    ],
)
def test_full_size_with_the_mark_is_for_who_may_have_originals(
    rights: Rights, marks: bool | None, given: bool, web: Flask, world: World, shown: Gallery
) -> None:
    """And the original for nobody but those who see no mark."""
    set_marks(web, world, "tenant")
    with web.app_context(), open_site(world.alpha) as site:
        data, *about = gallery.shot(gallery.sources()[0], widths=(900,)).renditions["w900.jpg"]
        full = add_marked(site, shown.asset, "full.jpg", data, *about)
        site.session.commit()
    crawl = by_link(rights, marks=marks)(web, world, shown)
    found = crawl.found((full,))
    assert bool(found) is given
    if given:
        photo = f"/a/{shown.slug}/{shown.asset}"
        assert {f"{photo}/full", f"/a/{shown.slug}/zip?size=full"} <= set(found)
        assert f"{photo}/full".encode() in crawl.bodies[photo], "there is a button"
    assert bool(crawl.found((shown.original,))) is (marks is False)
