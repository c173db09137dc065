"""The REST API: albums, assets, links, tickets, search and usage by a program with a token."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import gallery
import pytest
from api_client import Program, make_token
from conftest import World
from flask import Flask
from sqlalchemy import func, select
from visits import BETA, visitor

from infra.sql import reading
from tenants import tickets
from tenants.api_tokens import ApiToken, Scope
from tenants.catalog import Album, Asset, Ordering, album_by_id
from tenants.scope import open_site, secret
from tenants.sharing import ShareLink
from tenants.usage import Meter

pytestmark = pytest.mark.every_database


@pytest.fixture
def program(web: Flask, world: World) -> Program:
    return Program(web, make_token(web, world.alpha))


@pytest.fixture
def photos(web: Flask, world: World) -> list[str]:
    """Three photos in alpha's private album."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        shots = [gallery.shot(path) for path in gallery.sources()[:3]]
        made = [
            gallery.add_photo(site, album, shot, place=place, taken_at=datetime(2026, 1, place, tzinfo=UTC))
            for place, shot in enumerate(shots, 1)
        ]
        ids = [asset.id for asset in made]
        site.session.commit()
    return ids


def test_an_album_is_created_read_changed_and_put_into_the_trash(web: Flask, world: World, program: Program) -> None:
    made = program.post("/albums", {"title": "Wedding", "visibility": "unlisted", "layout": "grid"})
    assert made.status_code == 201, made.text
    address = made.headers["Location"]
    assert made.json["title"] == "Wedding" and made.json["url"].endswith("/a/wedding")

    read = program.get(address)
    assert read.json == made.json
    assert read.headers["ETag"] == made.headers["ETag"]
    assert program.get(address, If_None_Match=read.headers["ETag"]).status_code == 304

    changed = program.patch(address, {"description": "In May", "ordering": "manual"}, read.headers["ETag"])
    assert changed.status_code == 200, changed.text
    assert (changed.json["description"], changed.json["ordering"]) == ("In May", "manual")
    assert changed.json["layout"] == "grid", "what is left out stays"

    assert program.delete(address, changed.headers["ETag"]).status_code == 204
    assert program.get(address).status_code == 404
    with web.app_context(), reading(), open_site(world.alpha) as site:
        stored = site.session.get(Album, (world.alpha, made.json["id"]))
        assert stored is not None and stored.deleted_at is not None, "it waits in the trash"


def test_albums_are_within_albums_and_a_circle_is_refused(world: World, program: Program) -> None:
    outer = program.post("/albums", {"title": "Outer"})
    inner = program.post("/albums", {"title": "Inner", "parent_id": outer.json["id"]})
    assert inner.json["parent_id"] == outer.json["id"]
    circle = program.patch(f"/albums/{outer.json['id']}", {"parent_id": inner.json["id"]}, outer.headers["ETag"])
    assert circle.status_code == 422 and circle.json["field"] == "parent"
    foreign = program.post("/albums", {"title": "Foreign", "parent_id": world.beta_album})
    assert foreign.status_code == 422
    top = program.patch(f"/albums/{inner.json['id']}", {"parent_id": None}, inner.headers["ETag"])
    assert top.json["parent_id"] is None


def test_a_list_is_read_page_by_page(program: Program) -> None:
    for number in range(5):
        program.post("/albums", {"title": f"Album {number}"})
    seen: list[str] = []
    cursor = ""
    while True:
        page = program.get(f"/albums?limit=2{cursor}").json
        seen += [album["title"] for album in page["items"]]
        if page["next"] is None:
            break
        if not cursor:  # One that comes meanwhile is newer than all: it moves nothing.
            program.post("/albums", {"title": "Late"})
        cursor = f"&cursor={page['next']}"
    assert seen[:5] == [f"Album {number}" for number in (4, 3, 2, 1, 0)]
    assert len(seen) == len(set(seen)) == 7
    wrong = program.get("/albums?cursor=forged")
    assert wrong.status_code == 422 and wrong.json["field"] == "cursor"


def test_a_change_needs_the_version_that_was_read(program: Program) -> None:
    made = program.post("/albums", {"title": "Edited"})
    address, version = made.headers["Location"], made.headers["ETag"]
    assert program.patch(address, {"title": "No version"}).status_code == 428
    assert program.delete(address).status_code == 428
    assert program.patch(address, {"title": "First"}, version).status_code == 200
    late = program.patch(address, {"title": "Second"}, version)
    assert late.status_code == 412 and late.json["type"] == "urn:problem-type:stale"
    assert program.get(address).json["title"] == "First"
    weak = program.patch(address, {"title": "Third"}, f"W/{program.get(address).headers['ETag']}")
    assert weak.status_code == 412, "If-Match compares strongly (RFC 9110, 13.1.1)"


def test_of_two_edits_at_once_one_is_told(web: Flask, world: World, program: Program) -> None:
    made = program.post("/albums", {"title": "Contended"})
    address, version = made.headers["Location"], made.headers["ETag"]
    token, start = make_token(web, world.alpha), Barrier(4)
    answers: list[int] = []

    def edit(number: int) -> None:
        one = Program(web, token)
        start.wait(10)
        answers.append(one.patch(address, {"title": f"By {number}"}, version).status_code)

    threads = [Thread(target=edit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [200, 412, 412, 412]


def test_a_post_with_a_key_is_done_once(web: Flask, world: World, program: Program) -> None:
    first = program.post("/albums", {"title": "Once"}, Idempotency_Key="k-1")
    second = program.post("/albums", {"title": "Once"}, Idempotency_Key="k-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.data == first.data and second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotency-Replayed"] == "true"
    other = program.post("/albums", {"title": "Something else"}, Idempotency_Key="k-1")
    assert other.status_code == 409
    another = Program(web, make_token(web, world.alpha))
    assert another.post("/albums", {"title": "Mine"}, Idempotency_Key="k-1").json["title"] == "Mine"
    refused = program.post("/albums", {"title": " "}, Idempotency_Key="k-2")
    assert refused.status_code == 422
    assert program.post("/albums", {"title": "Corrected"}, Idempotency_Key="k-2").status_code == 201
    assert program.post("/albums", {"title": "x"}, Idempotency_Key="").status_code == 400
    with web.app_context(), reading(), open_site(world.alpha) as site:
        titles = site.session.scalars(select(Album.title)).all()
        assert titles.count("Once") == 1
        stored = site.session.connection().exec_driver_sql("SELECT sealed FROM api_answers").scalars().all()
        assert not any("Once" in sealed for sealed in stored), "answers are sealed: links and tickets are among them"


def test_of_requests_with_one_key_at_once_one_creates(web: Flask, world: World) -> None:
    token, start = make_token(web, world.alpha), Barrier(4)
    answers: list[tuple[int, str]] = []

    def send() -> None:
        one = Program(web, token)
        start.wait(10)
        answer = one.post("/albums", {"title": "At once"}, Idempotency_Key="race")
        answers.append((answer.status_code, answer.json.get("id", "")))

    threads = [Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {status for status, _ in answers} == {201}
    assert len({album_id for _, album_id in answers}) == 1
    with web.app_context(), reading(), open_site(world.alpha) as site:
        assert site.session.scalar(select(func.count()).select_from(Album).where(Album.title == "At once")) == 1


def test_assets_are_listed_in_the_albums_order(world: World, program: Program, photos: list[str]) -> None:
    path = f"/albums/{world.alpha_private}/assets"
    first = program.get(f"{path}?limit=2").json
    assert [asset["id"] for asset in first["items"]] == photos[:2]
    rest = program.get(f"{path}?limit=2&cursor={first['next']}").json
    assert [asset["id"] for asset in rest["items"]] == photos[2:] and rest["next"] is None
    asset = first["items"][0]
    assert asset["state"] == "ready" and asset["taken_at"] == "2026-01-01T00:00:00+00:00"
    assert [picture["width"] for picture in asset["pictures"]] == [320, 320, 640, 640]
    elsewhere = program.get(f"/albums/{world.alpha_album}/assets?cursor={first['next']}")
    assert elsewhere.status_code == 422, "a cursor is good for its own list only"


def test_a_pictures_address_opens_without_the_token_while_that_lives(
    web: Flask, world: World, program: Program, photos: list[str]
) -> None:
    address = program.get(f"/assets/{photos[0]}").json["pictures"][0]["url"].removeprefix("https://alpha.localhost")
    stranger = visitor(web)
    assert stranger.get(address).status_code == 200
    assert visitor(web, BETA).get(address).status_code == 404
    with web.app_context(), open_site(world.alpha) as site:
        site.session.scalars(select(ApiToken)).one().revoked_at = site.now()
        site.session.commit()
    web.extensions["vitrine.standings"].clear()
    assert stranger.get(address).status_code == 404


def test_an_assets_texts_are_changed_and_found(program: Program, photos: list[str]) -> None:
    address = f"/assets/{photos[1]}"
    read = program.get(address)
    body = {"caption": "Harbour at dusk", "alt": "Boats in low light", "tags": ["Golden hour", "sea"]}
    changed = program.patch(address, body, read.headers["ETag"])
    assert changed.status_code == 200, changed.text
    assert changed.json["tags"] == ["Golden hour", "sea"] and changed.json["alt"] == "Boats in low light"
    kept = program.patch(address, {"caption": "Harbour"}, changed.headers["ETag"])
    assert kept.json["tags"] == ["Golden hour", "sea"], "what is left out stays"
    for query in ("q=harb", "q=%23golden-hour", "from=2026-01-02&to=2026-01-02"):
        assert [asset["id"] for asset in program.get(f"/search?{query}").json["items"]] == [photos[1]], query
    assert program.get("/search").json == {"items": [], "next": None}
    assert program.patch(address, {"tags": ["a,b"]}, kept.headers["ETag"]).status_code == 422


def test_an_asset_moves_in_an_album_that_is_arranged_by_hand(world: World, program: Program, photos: list[str]) -> None:
    assert program.post(f"/assets/{photos[2]}/move", {"after": None}).status_code == 409
    album = program.get(f"/albums/{world.alpha_private}")
    program.patch(f"/albums/{world.alpha_private}", {"ordering": "manual"}, album.headers["ETag"])
    assert program.post(f"/assets/{photos[2]}/move", {"after": None}).status_code == 201
    listed = program.get(f"/albums/{world.alpha_private}/assets").json["items"]
    assert [asset["id"] for asset in listed] == [photos[2], photos[0], photos[1]]


def test_a_deleted_asset_is_in_the_trash(web: Flask, world: World, program: Program, photos: list[str]) -> None:
    read = program.get(f"/assets/{photos[0]}")
    assert program.delete(f"/assets/{photos[0]}", read.headers["ETag"]).status_code == 204
    assert program.get(f"/assets/{photos[0]}").status_code == 404
    with web.app_context(), reading(), open_site(world.alpha) as site:
        assert site.session.get_one(Asset, (world.alpha, photos[0])).deleted_at is not None


def test_a_cover_must_be_a_picture_of_the_album(world: World, program: Program, photos: list[str]) -> None:
    private, public = (program.get(f"/albums/{each}") for each in (world.alpha_private, world.alpha_album))
    chosen = program.patch(f"/albums/{world.alpha_private}", {"cover_id": photos[1]}, private.headers["ETag"])
    assert chosen.json["cover_id"] == photos[1]
    wrong = program.patch(f"/albums/{world.alpha_album}", {"cover_id": photos[1]}, public.headers["ETag"])
    assert wrong.status_code == 404
    none = program.patch(f"/albums/{world.alpha_private}", {"cover_id": None}, chosen.headers["ETag"])
    assert none.json["cover_id"] is None


def test_a_share_link_is_made_listed_and_revoked(web: Flask, world: World, program: Program) -> None:
    path = f"/albums/{world.alpha_private}/share-links"
    body = {"label": "Aunt", "rights": ["download_web", "comment"], "password": "a long password", "pin": "123456"}
    made = program.post(path, body)
    assert made.status_code == 201, made.text
    assert made.json["rights"] == ["view", "download_web", "comment"]
    assert made.json["has_password"] and made.json["has_pin"]
    assert "a long password" not in made.text and "123456" not in made.text
    assert visitor(web).get(made.json["url"].removeprefix("https://alpha.localhost")).status_code == 200
    assert [link["id"] for link in program.get(path).json["items"]] == [made.json["id"]]
    assert program.get(made.headers["Location"]).json["label"] == "Aunt"
    assert program.delete(f"/share-links/{made.json['id']}").status_code == 204
    assert program.get(path).json["items"] == []
    assert program.delete(f"/share-links/{made.json['id']}").status_code == 404
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert program.post(path, {"expires_at": past}).status_code == 422
    assert program.post(path, {"expires_at": "2031-01-01T00:00:00"}).status_code == 422, "a time needs its offset"
    assert program.post(path, {"watermark": True}).json["field"] == "marks"
    with web.app_context(), reading(), open_site(world.alpha) as site:
        assert site.session.scalars(select(ShareLink)).one().revoked_at is not None


def test_a_ticket_uploads_into_the_album(web: Flask, world: World, program: Program) -> None:
    made = program.post(f"/albums/{world.alpha_album}/upload-tickets")
    assert made.status_code == 201, made.text
    assert made.json["endpoint"].endswith("/files/")
    with web.app_context(), open_site(world.alpha) as site:
        ticket = tickets.check(secret(), made.json["ticket"], now=site.now())
    assert (ticket.tenant, ticket.album) == (world.alpha, world.alpha_album)


def test_usage_is_told_for_a_span(web: Flask, world: World, program: Program) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.use("upload:1", Meter.UPLOADED, 1234, datetime(2026, 3, 1, tzinfo=UTC))
        site.use("upload:2", Meter.UPLOADED, 1000, datetime(2026, 4, 1, tzinfo=UTC))
        site.session.commit()
    told = program.get("/usage?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z").json
    assert told["meters"]["upload.bytes"] == 1234 and told["max_storage_bytes"] is None
    assert program.get("/usage?from=2026-04-01T00:00:00Z&to=2026-03-01T00:00:00Z").status_code == 422
    assert program.get("/usage?to=0001-01-01T00:00:00%2B14:00").status_code == 422
    assert program.get("/usage?to=0001-01-01T00:00:00Z").status_code == 200


def test_the_order_of_an_album_is_the_cursors(web: Flask, world: World, program: Program, photos: list[str]) -> None:
    """Every ordering has a key of its own type."""
    for ordering in Ordering:
        with web.app_context(), open_site(world.alpha) as site:
            site.session.get_one(Album, (world.alpha, world.alpha_private)).ordering = ordering
            site.session.commit()
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            page = program.get(f"/albums/{world.alpha_private}/assets?limit=1{cursor}").json
            seen += [asset["id"] for asset in page["items"]]
            cursor = page["next"] and f"&cursor={page['next']}"
        assert sorted(seen) == sorted(photos), ordering


def test_scopes_are_few(web: Flask, world: World, photos: list[str]) -> None:
    reader = Program(web, make_token(web, world.alpha, Scope.ALBUMS_READ))
    assert reader.get("/albums").status_code == 200
    refused = reader.post("/albums", {"title": "No"})
    assert refused.status_code == 403 and refused.json["scope"] == "albums:write"
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    for method, path in (
        ("GET", f"/albums/{world.alpha_private}/share-links"),
        ("POST", f"/albums/{world.alpha_private}/upload-tickets"),
        ("GET", "/usage"),
        ("DELETE", f"/assets/{photos[0]}"),
    ):
        assert reader.ask(method, path, {} if method == "POST" else None).status_code == 403, path
