"""Many files of an album at once: which they are, what becomes of them, and the way back."""

from collections.abc import Iterator
from datetime import timedelta

import gallery
import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import func, select, true
from visits import visitor

from infra.sql import reading
from processor import purge
from processor.steps.photo_header import Header, turned
from tenants import search, tags
from tenants.catalog import Album, Asset, AssetState, Visibility, album_by_id
from tenants.moves import AssetMove
from tenants.scope import Site, open_site
from tenants.search import AssetWord


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    with reading(), open_site(world.alpha) as site:
        yield site


@pytest.fixture
def ids(site: Site, world: World) -> list[str]:
    """Five finished photos, indexed."""
    site.session.rollback()
    with reading(False):
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        made = gallery.fill_rows(site, album, 5)
        for asset_id in made:
            search.index(site.session, world.alpha, asset_id, camera="Leica")
        site.session.commit()
        for asset_id in made:
            site.media.put(asset_id, {"camera": "Leica"})
    return made


def base(world: World) -> str:
    return f"/dashboard/albums/{world.alpha_album}"


def where(site: Site, album_id: str) -> list[str]:
    """Ids of the live assets of the album by hand."""
    site.session.rollback()
    wanted = select(Asset.id).where(Asset.album_id == album_id, Asset.deleted_at.is_(None))
    return list(site.session.scalars(wanted.order_by(Asset.position, Asset.id)))


def found(site: Site, text: str, *albums: str) -> set[str]:
    """By a search in these albums, or in all."""
    site.session.rollback()
    where = Album.id.in_(albums) if albums else true()
    return set(search.find(site.session, site.tenant_id, search.wanted(text), where, after=None, size=99)[0])


def test_all_but_some_go_into_the_trash_and_come_back_by_one_address(
    alice: Browser, site: Site, world: World, ids: list[str]
) -> None:
    gone = alice.post(f"{base(world)}/assets/delete", {"all": "1", "but": [ids[1], ids[3]]}).get_json()
    assert (gone["message"], gone["ids"]) == ("3 items are in the trash.", [])
    assert where(site, world.alpha_album) == [ids[1], ids[3]]
    assert alice.post(f"{base(world)}/assets/delete", {"id": ids[1]}).status_code == 200
    assert alice.post(gone["undo"]).status_code == 200
    assert where(site, world.alpha_album) == [ids[0], ids[2], ids[3], ids[4]]
    assert alice.post(gone["undo"]).status_code == 404


def test_undo_survives_a_plain_form_however_many_there_are(
    alice: Browser, site: Site, world: World, ids: list[str]
) -> None:
    """The message goes by the session's cookie, which has no room for ids."""
    alice.get(base(world))
    answer = alice.submit(f"{base(world)}/assets/delete", {"all": "1"})
    assert answer.status_code == 303
    assert len(answer.headers["Set-Cookie"]) < 4000
    page = alice.get(base(world)).text
    undo = page.partition("/assets/restore?at=")[2].partition('"')[0]
    assert alice.submit(f"{base(world)}/assets/restore?at={undo}").status_code == 303
    assert where(site, world.alpha_album) == ids


def test_what_arrived_since_is_not_in_all(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    with reading(False):
        site.session.rollback()
        late = site.session.get_one(Asset, (world.alpha, ids[4]))
        late.created_at = site.now() + timedelta(hours=1)
        site.session.commit()
    seen = int(site.now().timestamp() * 1000)
    assert alice.post(f"{base(world)}/assets/delete", {"all": "1", "seen": seen}).get_json()["count"] == 4
    assert where(site, world.alpha_album) == [ids[4]]


@pytest.mark.parametrize("fields", [{}, {"id": "no-id"}, {"id": "0" * 26}])
def test_nothing_chosen_is_told(alice: Browser, world: World, ids: list[str], fields: dict[str, str]) -> None:
    for action, more in (("delete", {}), ("tag", {"tags": "sea"}), ("turn", {"turn": "90"}), ("caption", {})):
        assert alice.post(f"{base(world)}/assets/{action}", {**fields, **more}).status_code == 404


def test_moving_keeps_order_words_and_undo(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    moved = alice.post(
        f"{base(world)}/assets/move-to", {"id": [ids[3], ids[1]], "album": world.alpha_private}
    ).get_json()
    assert moved["message"] == "2 files are in “alpha secret” now."
    assert where(site, world.alpha_private) == [ids[1], ids[3]]
    assert found(site, "leica", world.alpha_private) == {ids[1], ids[3]}
    assert found(site, "leica", world.alpha_album) == {ids[0], ids[2], ids[4]}
    assert alice.post(moved["undo"]).status_code == 200
    assert sorted(where(site, world.alpha_album)) == ids
    assert where(site, world.alpha_private) == []
    assert alice.post(moved["undo"]).status_code == 404


def test_moving_needs_another_album(alice: Browser, world: World, ids: list[str]) -> None:
    path = f"{base(world)}/assets/move-to"
    assert alice.post(path, {"all": "1"}).get_json()["detail"].startswith("Choose an album")
    assert alice.post(path, {"all": "1", "album": world.alpha_album}).status_code == 422
    assert alice.post(path, {"all": "1", "album": world.beta_album}).status_code == 404


def test_moving_into_a_new_album(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    assert alice.post(f"{base(world)}/assets/move-to", {"all": "1", "title": "Best of"}).status_code == 200
    site.session.rollback()
    made = site.session.scalars(select(Album).where(Album.title == "Best of")).one()
    assert made.visibility is Visibility.PRIVATE
    assert where(site, made.id) == ids


@pytest.mark.every_database
def test_a_moved_picture_is_closed_to_who_saw_it_where_it_was(web: Flask, world: World) -> None:
    """From a public album into a private one: the old address must not go on."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        ids = [
            gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]), filename=f"{n}.jpg").id for n in (1, 2)
        ]
        site.session.commit()
    guest = visitor(web)
    page = guest.get("/a/alpha-shows").text
    addresses = [page[: page.index(f"/{each}/1/w320.jpg")].rpartition('"')[2].rpartition(" ")[2] for each in ids]
    paths = [f"{address}/{each}/1/w320.jpg" for address, each in zip(addresses, ids, strict=True)]
    assert [guest.get(path).status_code for path in paths] == [200, 200]
    alice = Browser(web)
    alice.sign_in("alice")
    moved = alice.post(f"{base(world)}/assets/move-to", {"id": ids[0], "album": world.alpha_private}).get_json()
    web.extensions["vitrine.standings"].clear()
    assert [guest.get(path).status_code for path in paths] == [404, 200]
    assert ids[0] not in guest.get("/a/alpha-shows").text
    alice.post(moved["undo"])
    web.extensions["vitrine.standings"].clear()
    assert [guest.get(path).status_code for path in paths] == [200, 200]


def test_tags_are_added_and_found_and_removed(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    path = f"{base(world)}/assets/tag"
    alice.post(f"{base(world)}/assets/caption", {"id": ids[0], "caption": "Low tide"})
    assert alice.post(path, {"all": "1", "tags": "Tide, Golden hour"}).get_json()["count"] == 5
    assert found(site, "#golden-hour") == found(site, "golden tide") == set(ids)
    assert tags.of(site.session, ids[:1]) == {ids[0]: ["Golden hour", "Tide"]}
    assert alice.post(path, {"all": "1", "tags": "Tide"}).get_json()["count"] == 5
    told = alice.post(path, {"id": ids[:3], "tags": "tide", "do": "remove"}).get_json()
    assert told["message"] == "3 tags are removed."
    assert found(site, "#tide") == set(ids[3:])
    assert found(site, "tide") == {ids[0], *ids[3:]}  # One has it in its caption.
    assert found(site, "leica") == set(ids)
    assert alice.post(path, {"all": "1", "tags": " , "}).status_code == 422


def test_the_words_are_those_of_a_whole_index(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    """What tags add in a few statements is what indexing one asset would write."""
    alice.post(f"{base(world)}/assets/tag", {"all": "1", "tags": "Été à la mer, 日本"})

    def stored() -> set[str]:
        site.session.rollback()
        return set(site.session.scalars(select(AssetWord.word).where(AssetWord.asset_id == ids[0])))

    before = stored()
    with reading(False):
        site.session.rollback()
        search.index(site.session, world.alpha, ids[0], camera="Leica")
        site.session.commit()
    assert stored() == before


def test_an_asset_with_too_many_tags_keeps_them(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    many = ", ".join(f"t{number}" for number in range(tags.MOST_TAGS))
    alice.post(f"{base(world)}/assets/tag", {"id": ids[0], "tags": many})
    told = alice.post(f"{base(world)}/assets/tag", {"all": "1", "tags": "sea"}).get_json()
    assert told["count"] == 4
    assert told["message"].endswith("The others have as many tags as they may.")


def test_captions_leave_those_that_are_there(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    path = f"{base(world)}/assets/caption"
    alice.post(path, {"id": ids[0], "caption": "Mine"})
    assert alice.post(path, {"all": "1", "caption": "Ours", "bare": "1"}).get_json()["count"] == 4
    assert found(site, "mine") == {ids[0]}
    assert alice.post(path, {"all": "1", "caption": "Ours"}).get_json()["count"] == 5
    assert found(site, "mine") == set()
    assert found(site, "ours") == set(ids)


def test_turning_asks_for_new_pictures(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    path = f"{base(world)}/assets/turn"
    assert alice.post(path, {"id": ids[:2], "turn": "45"}).status_code == 422
    assert alice.post(path, {"id": ids[:2], "turn": "270"}).get_json()["count"] == 2
    site.session.rollback()
    turn = {row.id: row.turn for row in site.session.execute(select(Asset.id, Asset.turn))}
    assert [turn[each] for each in ids] == [270, 270, 0, 0, 0]
    state = {row.id: row.state for row in site.session.execute(select(Asset.id, Asset.state))}
    assert state[ids[0]] is AssetState.VIEWABLE
    # While that is under way there is nothing finished to turn.
    assert alice.post(path, {"id": ids[0], "turn": "90"}).status_code == 409


@pytest.mark.parametrize("orientation", range(1, 9))
def test_four_quarters_are_a_whole_turn(orientation: int) -> None:
    from pathlib import Path

    header = Header(Path("x"), "image/jpeg", 30, 20, orientation=orientation)
    assert turned(header, 360) == header
    assert turned(turned(header, 90), 270) == header
    assert turned(header, 90).shown == header.shown[::-1]
    assert turned(header, 180) == turned(turned(header, 90), 90)


def test_the_trash_is_emptied_on_confirmation_and_the_keeper_removes_it(
    alice: Browser, site: Site, world: World, ids: list[str]
) -> None:
    alice.post(f"{base(world)}/assets/delete", {"id": ids[:2]})
    alice.post(f"/dashboard/albums/{world.alpha_private}/delete")
    assert alice.post("/dashboard/trash/empty").status_code == 422
    assert "Empty the trash" in alice.get("/dashboard/trash").text
    assert alice.post("/dashboard/trash/empty", {"sure": "yes"}).get_json()["message"].startswith("3 items are gone")
    assert "The trash is empty" in alice.get("/dashboard/trash").text
    assert alice.post(f"{base(world)}/assets/restore", {"id": ids[0]}).status_code == 404
    assert alice.post(f"/dashboard/albums/{world.alpha_private}/restore").status_code == 404
    with reading(False):
        site.session.rollback()
        assert purge.assets(site, timedelta(days=30)) == 2
        assert purge.albums(site, timedelta(days=30)) == 1
    assert site.session.scalar(select(func.count()).select_from(Asset)) == 3
    assert site.session.scalar(select(func.count()).select_from(AssetMove)) == 0


def test_all_of_an_albums_trash_comes_back(alice: Browser, site: Site, world: World, ids: list[str]) -> None:
    for each in ids[:3]:
        alice.post(f"{base(world)}/assets/delete", {"id": each})
    assert alice.post(f"{base(world)}/assets/restore", {"all": "1"}).status_code == 200
    assert where(site, world.alpha_album) == ids


def test_pages_go_back_as_they_go_on(
    alice: Browser, world: World, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.dashboard.queries.ASSETS_A_PAGE", 2)

    def tiles(query: str) -> list[str]:
        page = alice.get(base(world) + query).text
        return [part[:26] for part in page.split('id="tile-')[1:]]

    assert tiles("") == ids[:2]
    assert tiles(f"?after={ids[1]}") == ids[2:4]
    assert tiles(f"?before={ids[2]}") == ids[:2]
    assert tiles(f"?before={ids[3]}") == ids[1:3]
    assert 'rel="prev"' in alice.get(f"{base(world)}?after={ids[1]}").text
