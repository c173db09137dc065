"""Albums and their assets through the dashboard's routes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import World
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import event, select

from infra.sql import reading
from tenants import catalog, names, ordering, outbox, tickets
from tenants.catalog import Album, Asset, AssetState, Kind, Ordering, Rendition, Visibility
from tenants.db import db
from tenants.scope import Site, open_site, secret


@pytest.fixture
def site(core: Flask, world: World) -> Iterator[Site]:
    """Alpha's, through an app of its own: requests must not share its context. It reads; `rollback` sees the latest."""
    with reading(), open_site(world.alpha) as site:
        yield site


def fill(site: Site, album_id: str, count: int, state: AssetState = AssetState.READY, **fields: Any) -> list[str]:
    """Committed assets with renditions, in order of capture."""
    site.session.rollback()
    with reading(False):
        ids = _fill(site, album_id, count, state, **fields)
        site.session.commit()
    return ids


def _fill(site: Site, album_id: str, count: int, state: AssetState, **fields: Any) -> list[str]:
    album = catalog.album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    ids = []
    for number in range(count):
        asset = catalog.add_asset(
            site.session,
            album,
            asset_id=names.new_id(),
            filename=f"img{number}.jpg",
            sha256=fields.get("sha256", f"{number + 1:064x}"),
            size=1000,
            now=site.now() - timedelta(minutes=60 - number),
        )
        asset.state = state
        asset.reason = fields.get("reason", "")
        if state is AssetState.READY:
            asset.kind, asset.generation, asset.dominant = Kind.PHOTO, 1, "#336699"
            site.session.add_all(
                Rendition(
                    tenant_id=site.tenant_id,
                    asset_id=asset.id,
                    generation=1,
                    name=f"w{width}.jpg",
                    content_type="image/jpeg",
                    width=width,
                    height=width,
                    size=10,
                )
                for width in (320, 640)
            )
        ids.append(asset.id)
    return ids


def reread(site: Site, asset_id: str) -> Asset:
    site.session.rollback()
    return site.session.get_one(Asset, (site.tenant_id, asset_id), populate_existing=True)


def test_an_album_is_made_and_changed(alice: Browser, site: Site) -> None:
    made = alice.submit(
        "/dashboard/albums/new",
        {"title": " Kitchen & garden ", "description": "Two rooms", "visibility": "unlisted", "ordering": "name"},
    )
    assert made.status_code == 303
    page = alice.get(made.headers["Location"]).text
    assert "Kitchen &amp; garden" in page
    site.session.rollback()
    album = site.session.scalars(select(Album).where(Album.slug == "kitchen-garden")).one()
    assert (album.visibility, album.ordering, album.originals) == (Visibility.UNLISTED, Ordering.NAME, False)
    changed = alice.submit(
        f"{made.headers['Location']}/settings",
        {"title": "Garden", "description": "", "visibility": "public", "ordering": "captured", "originals": "y"},
    )
    assert changed.status_code == 303
    site.session.rollback()
    assert (album.title, album.description, album.visibility) == ("Garden", "", Visibility.PUBLIC)
    assert (album.ordering, album.originals, album.slug) == (Ordering.CAPTURED, True, "kitchen-garden")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"title": "  "}, "An album needs a title."),
        ({"title": "x" * 201}, "longer than 200"),
        ({"title": "x", "visibility": "everyone"}, "Not a valid choice"),
        ({"title": "x", "ordering": "chaos"}, "Not a valid choice"),
    ],
)
def test_a_wrong_album_is_explained(alice: Browser, wrong: dict[str, str], said: str) -> None:
    answer = alice.submit("/dashboard/albums/new", {"visibility": "private", "ordering": "captured", **wrong})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'class="error"' in answer.text


def test_the_list_searches_and_counts(alice: Browser, site: Site, world: World) -> None:
    fill(site, world.alpha_album, 3)
    fill(site, world.alpha_album, 1, AssetState.FAILED)
    fill(site, world.alpha_private, 2, AssetState.PROCESSING)
    page = alice.get("/dashboard/").text
    assert "3 photos" in page
    assert "1 could not be used" in page
    assert "2 in processing" in page
    found = alice.get("/dashboard/?q=SECRET").text
    assert "alpha secret" in found
    assert "alpha shows" not in found
    assert "No album is called that" in alice.get("/dashboard/?q=100%25").text
    assert "beta shows" not in page


def test_the_list_is_filtered_and_sorted(
    alice: Browser, site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.dashboard.queries.ALBUMS_A_PAGE", 2)
    with reading(False):
        site.session.rollback()
        for number, title in enumerate(("Zebra", "apple", "Mango")):
            made = catalog.create_album(site.session, site.tenant_id, title, now=site.now() + timedelta(hours=number))
            made.updated_at = site.now() - timedelta(days=number + 1)
        site.session.commit()
    fill(site, world.alpha_album, 1, AssetState.FAILED)
    fill(site, world.alpha_private, 1, AssetState.PROCESSING)

    def titles(query: str) -> list[str]:
        found: list[str] = []
        address = f"/dashboard/?{query}"
        while address:
            page = alice.get(address).text
            found += [part.partition("<")[0] for part in page.split('class="album-title">')[1:]]
            address = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        return found

    assert titles("sort=title") == ["alpha secret", "alpha shows", "apple", "Mango", "Zebra"]
    assert titles("")[:3] == ["Mango", "apple", "Zebra"]
    assert titles("sort=oldest")[2:] == ["Zebra", "apple", "Mango"]
    assert titles("sort=changed")[2:] == ["Zebra", "apple", "Mango"]
    assert titles("visibility=public") == ["alpha shows"]
    assert titles("holds=refused") == ["alpha shows"]
    assert titles("holds=working") == ["alpha secret"]
    assert titles("holds=nothing&sort=title") == ["apple", "Mango", "Zebra"]
    assert titles("q=p&sort=title") == ["alpha secret", "alpha shows", "apple"]
    assert len(titles("sort=nonsense&visibility=all&holds=x")) == 5
    assert "No album fits these filters" in alice.get("/dashboard/?visibility=unlisted").text


def test_the_list_takes_a_constant_number_of_queries(alice: Browser, web: Flask, site: Site, world: World) -> None:
    def cost(path: str) -> int:
        statements: list[str] = []
        with web.app_context():
            engine = db.engine

        def count(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
            statements.append(statement)

        event.listen(engine, "before_cursor_execute", count)
        try:
            assert alice.get(path).status_code == 200
        finally:
            event.remove(engine, "before_cursor_execute", count)
        return len(statements)

    fill(site, world.alpha_album, 2)
    few = cost("/dashboard/"), cost(f"/dashboard/albums/{world.alpha_album}")
    for number in range(12):
        with reading(False):
            site.session.rollback()
            album = catalog.create_album(site.session, site.tenant_id, f"more {number}", now=site.now())
            site.session.commit()
        fill(site, album.id, 1)
    fill(site, world.alpha_album, 30)
    assert (cost("/dashboard/"), cost(f"/dashboard/albums/{world.alpha_album}")) == few


def test_pages_of_a_large_album_meet_without_gap_or_overlap(
    alice: Browser, site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.dashboard.queries.ASSETS_A_PAGE", 4)
    ids = fill(site, world.alpha_album, 10)
    seen: list[str] = []
    address = f"/dashboard/albums/{world.alpha_album}"
    for _ in range(5):
        page = alice.get(address).text
        seen += [part[:26] for part in page.split('id="tile-')[1:]]
        if 'rel="next"' not in page:
            break
        address = page.split('rel="next" href="')[1].split('"')[0]
    assert seen == ids


def test_deleting_is_undone(alice: Browser, site: Site, world: World) -> None:
    first, second, third = fill(site, world.alpha_album, 3)
    base = f"/dashboard/albums/{world.alpha_album}"
    answer = alice.post(f"{base}/assets/delete", {"id": [first, third]}).get_json()
    assert answer["message"] == "2 items are in the trash."
    assert f"tile-{first}" not in alice.get(base).text
    assert f"tile-{second}" in alice.get(base).text
    assert f'value="{third}"' in alice.get("/dashboard/trash").text
    restored = alice.post(answer["undo"], {"id": answer["ids"]})
    assert restored.status_code == 200
    page = alice.get(base).text
    assert [part[:26] for part in page.split('id="tile-')[1:]] == [first, second, third]
    assert alice.post(f"{base}/assets/restore", {"id": [first]}).status_code == 404


def test_an_album_goes_and_comes_back(alice: Browser, world: World) -> None:
    base = f"/dashboard/albums/{world.alpha_album}"
    alice.get(base)
    gone = alice.submit(f"{base}/delete")
    assert gone.headers["Location"] == "/dashboard/"
    page = alice.get("/dashboard/").text
    assert "is in the trash." in page
    assert f'action="{base}/restore"' in page
    assert alice.get(base).status_code == 404
    assert alice.get("/a/alpha-shows").status_code == 404
    assert alice.submit(f"{base}/restore").status_code == 303
    assert alice.get(base).status_code == 200


def test_captions_and_cover(alice: Browser, site: Site, world: World) -> None:
    first, second = fill(site, world.alpha_album, 2)
    (waiting,) = fill(site, world.alpha_album, 1, AssetState.RECEIVED)
    base = f"/dashboard/albums/{world.alpha_album}"
    said = alice.post(f"{base}/assets/{first}/caption", {"caption": " <b>Fern</b> "})
    assert said.get_json()["caption"] == "<b>Fern</b>"
    assert "&lt;b&gt;Fern&lt;/b&gt;" in alice.get(base).text
    assert alice.post(f"{base}/assets/{first}/caption", {"caption": "x" * 2001}).status_code == 422
    assert alice.post(f"{base}/cover", {"id": second}).status_code == 200
    assert alice.post(f"{base}/cover", {"id": waiting}).status_code == 409
    site.session.rollback()
    album = site.session.get_one(Album, (site.tenant_id, world.alpha_album))
    assert album.cover_id == second
    assert ordering.covers(site.session, [album])[album.id].id == second


def test_moving_asks_for_manual_order_first(alice: Browser, site: Site, world: World) -> None:
    first, second, third = fill(site, world.alpha_album, 3)
    base = f"/dashboard/albums/{world.alpha_album}"
    assert alice.post(f"{base}/move", {"id": [third], "after": ""}).status_code == 409
    assert alice.post(f"{base}/arrange").status_code == 200
    assert alice.post(f"{base}/move", {"id": [third], "after": first}).status_code == 200
    page = alice.get(base).text
    assert [part[:26] for part in page.split('id="tile-')[1:]] == [first, third, second]


def test_a_failed_file_is_tried_again(alice: Browser, site: Site, world: World) -> None:
    reason = "The file ends before the picture does."
    (failed,) = fill(site, world.alpha_album, 1, AssetState.FAILED, reason=reason)
    (ready,) = fill(site, world.alpha_album, 1)
    base = f"/dashboard/albums/{world.alpha_album}"
    page = alice.get(base).text
    assert reason in page
    assert f"{base}/assets/{failed}/retry" in page
    assert alice.post(f"{base}/assets/{failed}/retry").status_code == 200
    asset = reread(site, failed)
    assert (asset.state, asset.reason) == (AssetState.RECEIVED, "")
    sent = site.session.scalars(select(outbox.Outbox)).one()
    assert sent.body == {**outbox.media_job(world.alpha, failed), "trace": sent.body["trace"]}
    assert alice.post(f"{base}/assets/{ready}/retry").status_code == 409


def test_a_duplicate_says_where_its_twin_is(alice: Browser, site: Site, world: World) -> None:
    fill(site, world.alpha_private, 1, sha256="f" * 64)
    fill(site, world.alpha_album, 1, sha256="f" * 64)
    assert "Already in “alpha secret”" in alice.get(f"/dashboard/albums/{world.alpha_album}").text


def test_a_ticket_opens_just_this_album(alice: Browser, web: Flask, site: Site, world: World) -> None:
    given = alice.post(f"/dashboard/albums/{world.alpha_album}/ticket")
    assert given.headers["Cache-Control"] == "no-store"
    body = given.get_json()
    ticket = tickets.check(secret(), body["ticket"], now=site.now())
    assert (ticket.tenant, ticket.album, ticket.member) == (world.alpha, world.alpha_album, world.alice)
    assert body["expires"] == ticket.expires
    assert body["endpoint"].endswith("/files/")
    assert body["max_bytes"] == ticket.max_bytes


def test_progress_tells_what_changed(alice: Browser, site: Site, world: World) -> None:
    base = f"/dashboard/albums/{world.alpha_album}"
    watched, deleted = fill(site, world.alpha_album, 2, AssetState.PROCESSING)
    start = alice.get(f"{base}/progress", accept="application/json").get_json()
    assert (start["working"], start["assets"]) == (2, [])
    with reading(False):
        asset = reread(site, watched)
        asset.progress, asset.stage = 40, "encode"
        site.session.get_one(Asset, (site.tenant_id, deleted)).deleted_at = site.now()
        site.session.commit()
    told = alice.get(
        f"{base}/progress?since={start['cursor']}&watch={watched}&watch={deleted}", accept="application/json"
    )
    answer = told.get_json()
    assert answer["gone"] == [deleted]
    assert answer["working"] == 1
    (told_of,) = answer["assets"]
    assert (told_of["id"], told_of["state"], told_of["progress"]) == (watched, "processing", 40)
    assert 'value="40"' in told_of["html"]
