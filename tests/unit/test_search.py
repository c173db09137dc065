"""Search finds what is there, in the order of capture, and nothing that the visitor may not see."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import gallery
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import delete, func, select, true
from visits import share_link, visitor

import wsgi
from infra.settings import Settings
from tenants import catalog, search, tags
from tenants.catalog import Asset, Visibility, album_by_id
from tenants.scope import Site, open_site
from tenants.search import AssetWord
from tenants.words import tag_word, words

pytestmark = pytest.mark.every_database

JUNE = datetime(2024, 6, 3, 9, tzinfo=UTC)


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    with open_site(world.alpha) as site:
        yield site


def add(site: Site, album_id: str, filename: str, caption: str = "", *, camera: str = "", hours: int = 0) -> Asset:
    album = album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    shot = gallery.shot(gallery.sources()[0])
    taken = JUNE + timedelta(hours=hours)
    return gallery.add_photo(
        site, album, shot, filename=filename, caption=caption, taken_at=taken, media={"camera": camera}
    )


def found(site: Site, text: str, *, size: int = 50, **days: datetime) -> list[str]:
    ids, _ = search.find(site.session, site.tenant_id, search.wanted(text, **days), true(), after=None, size=size)
    return ids


def test_words_are_compared_without_case_and_accents() -> None:
    assert words("Zürich, ÉTÉ_2024 Straße") == ["zurich", "ete", "2024", "strasse"]
    assert tag_word("  Golden  Hour ") == "#golden-hour"
    assert tag_word("!?") == ""


def test_caption_tag_file_name_and_camera_are_found(site: Site, world: World) -> None:
    one = add(site, world.alpha_album, "DSC_0041.jpg", "Sunset över Öland", camera="Fujifilm X-T5")
    tags.put(site.session, one, tags.parse("Golden hour, golden  HOUR, sea"))
    search.index(site.session, site.tenant_id, one.id, camera="Fujifilm X-T5")
    add(site, world.alpha_album, "DSC_0042.jpg", "Morning")
    for text in ("sunset", "SUN", "oland", "0041", "dsc_0041", "fujifilm", "golden", "#golden-hour", "sea sun"):
        assert found(site, text) == [one.id], text
    assert found(site, "#golden") == found(site, "sunset morning") == found(site, "unset") == []
    assert tags.of(site.session, [one.id]) == {one.id: ["Golden hour", "sea"]}


def test_a_changed_caption_is_found_and_its_old_words_are_not(site: Site, world: World) -> None:
    one = add(site, world.alpha_album, "a.jpg", "harbour")
    one.caption = "lighthouse"
    search.index(site.session, site.tenant_id, one.id, camera="")
    assert found(site, "lighthouse") == [one.id]
    assert found(site, "harbour") == []


def test_scripts_without_spaces_are_found_by_their_parts(site: Site, world: World) -> None:
    one = add(site, world.alpha_album, "a.jpg", "東京の夕焼け")
    assert found(site, "夕焼") == [one.id]


def test_the_latest_comes_first_and_pages_follow_each_other(site: Site, world: World) -> None:
    ids = [add(site, world.alpha_album, f"beach_{n}.jpg", "beach beaches", hours=n).id for n in range(7)]
    site.session.get_one(Asset, (site.tenant_id, ids[3])).deleted_at = site.now()
    site.session.flush()
    seen, place = [], None
    for _ in range(10):
        page, place = search.find(site.session, site.tenant_id, search.wanted("beach"), true(), after=place, size=2)
        seen += page
        if place is None:
            break
    assert seen == [ids[n] for n in (6, 5, 4, 2, 1, 0)]


def test_days_alone_are_enough(site: Site, world: World) -> None:
    ids = [add(site, world.alpha_album, f"{n}.jpg", hours=24 * n).id for n in range(4)]
    day = JUNE.replace(hour=0)
    assert found(site, "", first=day + timedelta(days=1), last=day + timedelta(days=3)) == [ids[2], ids[1]]


def test_words_leave_with_their_asset(site: Site, world: World) -> None:
    one = add(site, world.alpha_album, "a.jpg", "harbour")
    site.session.delete(one)
    site.session.flush()
    assert site.session.scalar(select(func.count()).where(AssetWord.asset_id == one.id)) == 0


def test_what_a_guest_added_is_found_once_it_is_let_in(site: Site, world: World) -> None:
    asset = add(site, world.alpha_album, "guest.jpg", "harbour by a guest")
    asset.held = True
    site.session.flush()
    assert found(site, "harbour") == []
    asset.held = False
    site.session.flush()
    assert found(site, "harbour") == [asset.id]


def test_a_tag_line_is_bounded(site: Site) -> None:
    with pytest.raises(catalog.Problem, match="39"):
        tags.parse("x" * 60)
    with pytest.raises(catalog.Problem, match="30"):
        tags.parse(",".join(f"t{n}" for n in range(31)))


def test_a_visitor_finds_only_what_they_may_see(web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        unlisted = catalog.create_album(
            site.session, world.alpha, "Quiet", now=site.now(), visibility=Visibility.UNLISTED
        )
        add(site, world.alpha_album, "public.jpg", "harbour in public")
        add(site, world.alpha_private, "private.jpg", "harbour in private")
        add(site, unlisted.id, "unlisted.jpg", "harbour unlisted")
        site.session.commit()
    with web.app_context(), open_site(world.beta) as site:
        add(site, world.beta_album, "beta.jpg", "harbour of beta")
        site.session.commit()
    browser = visitor(web)
    page = browser.get("/search?q=harbour").text
    assert "harbour in public" in page
    assert not any(other in page for other in ("harbour in private", "harbour unlisted", "harbour of beta"))
    browser.get(share_link(web, world.alpha, world.alpha_private), follow_redirects=True)
    page = browser.get("/search?q=harbour").text
    assert "harbour in public" in page and "harbour in private" in page
    assert "harbour unlisted" not in page and "harbour of beta" not in page


@pytest.mark.parametrize(
    "query", ["", "q=%00", "q=%23", "from=2024-13-45", "from=9999-01-01", "after=x-y", "q=a&after=9e99-"]
)
def test_odd_questions_get_a_page(web: Flask, world: World, query: str) -> None:
    assert visitor(web).get(f"/search?{query}").status_code == 200


def test_days_the_wrong_way_round_are_explained(web: Flask, world: World) -> None:
    assert "The first day is after the last." in visitor(web).get("/search?from=2024-06-05&to=2024-06-01").text


def test_the_dashboard_tags_what_visitors_then_find(web: Flask, world: World) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        one = add(site, world.alpha_album, "a.jpg", camera="Leica M11").id
        site.session.commit()
    alice = Browser(web)
    alice.sign_in("alice")
    address = f"/dashboard/albums/{world.alpha_album}/assets/{one}"
    saved = alice.submit(f"{address}/caption", {"caption": "Old bridge", "tags": "Night, Long exposure, night"})
    assert saved.status_code == 303
    assert 'value="Long exposure, Night"' in alice.get(address).text
    for query in ("bridge", "%23long-exposure", "leica"):
        assert one in visitor(web).get(f"/search?q={query}").text
    refused = alice.post(f"{address}/caption", {"caption": "", "tags": "x" * 50})
    assert (refused.status_code, refused.json and refused.json["field"]) == (422, "tags")


def test_the_command_indexes_what_was_there_before(web: Flask, world: World, settings: Settings) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        one = add(site, world.alpha_album, "a.jpg", "Old bridge").id
        site.session.execute(delete(AssetWord))
        site.session.commit()
    assert one not in visitor(web).get("/search?q=bridge").text
    done = wsgi.create_app(settings).test_cli_runner().invoke(args=["tenants", "index", "alpha"])
    assert done.output == "1 indexed\n"
    assert one in visitor(web).get("/search?q=bridge").text
