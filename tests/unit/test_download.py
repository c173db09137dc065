"""Albums as ZIP files over HTTP: who may, what is in them, ranges, resuming, limits, and what is counted."""

import zipfile
import zlib
from datetime import timedelta
from io import BytesIO

import gallery
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select, update
from visits import BETA, Browser, member, share_link, visitor
from werkzeug.test import TestResponse

from tenants.catalog import Asset, AssetState, Rendition, album_by_id
from tenants.downloads import KEPT, DownloadList
from tenants.names import original_key, rendition_key
from tenants.scope import open_site
from tenants.sharing import Rights
from tenants.usage import Meter, UsageEvent
from webapp.download.slots import A_VISITOR

ZIP = "/a/alpha-shows/zip?size="


@pytest.fixture
def ids(web: Flask, world: World) -> list[str]:
    """Three photos, two of the same name, one that is not there yet; originals are given away."""
    web.config["WTF_CSRF_ENABLED"] = False
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = True
        shots = [gallery.shot(path, widths=(320, 640, 2560)) for path in gallery.sources()[:3]]
        names = ("Grüße.jpg", "grüße.JPG", "写真.heic")
        made = [
            gallery.add_photo(site, album, shot, place=place, filename=name, original=True).id
            for place, (shot, name) in enumerate(zip(shots, names, strict=True))
        ]
        gallery.add_waiting(site, album)
        site.session.commit()
        return made


def read(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_the_originals_under_their_names(web: Flask, ids: list[str]) -> None:
    answer = visitor(web).get(ZIP + "original")
    assert answer.content_type == "application/zip"
    assert answer.content_length == len(answer.data)
    assert "alpha shows.zip" in answer.headers["Content-Disposition"]
    wanted = [path.read_bytes() for path in gallery.sources()[:3]]
    assert read(answer.data) == dict(zip(("Grüße.jpg", "grüße (2).JPG", "写真.heic"), wanted, strict=True))


def test_web_size_is_the_widest_jpeg_that_fits(web: Flask, ids: list[str]) -> None:
    found = read(visitor(web).get(ZIP + "web").data)
    shots = [gallery.shot(path, widths=(320, 640, 2560)) for path in gallery.sources()[:3]]
    assert list(found.values()) == [shot.renditions["w640.jpg"][0] for shot in shots]
    assert list(found) == ["Grüße.jpg", "grüße (2).jpg", "写真.jpg"]


def test_a_range_in_the_middle_and_the_rest_make_the_whole(web: Flask, ids: list[str]) -> None:
    client = visitor(web)
    whole = client.get(ZIP + "original")
    half = len(whole.data) // 2
    first = client.get(ZIP + "original", headers={"Range": f"bytes=0-{half - 1}"})
    etag = first.headers["ETag"]
    rest = client.get(ZIP + "original", headers={"Range": f"bytes={half}-", "If-Range": etag})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert rest.headers["Content-Range"] == f"bytes {half}-{len(whole.data) - 1}/{len(whole.data)}"
    assert first.data + rest.data == whole.data
    head = client.head(ZIP + "original")
    assert (head.content_length, head.data) == (len(whole.data), b"")
    assert client.get(ZIP + "original", headers={"If-None-Match": etag}).status_code == 304
    assert client.get(ZIP + "original", headers={"Range": "bytes=99999999999-"}).status_code == 416


def test_another_list_is_another_archive(web: Flask, world: World, ids: list[str]) -> None:
    """A download that was begun before is not continued with bytes of another archive."""
    client = visitor(web)
    etag = client.head(ZIP + "original").headers["ETag"]
    assert not etag.startswith("W/")
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Asset, (world.alpha, ids[0])).deleted_at = site.now()
        site.session.commit()
    again = client.get(ZIP + "original", headers={"Range": "bytes=100-", "If-Range": etag})
    assert again.status_code == 200
    assert again.headers["ETag"] != etag
    assert len(read(again.data)) == 2


def test_checksums_are_computed_once_and_kept(web: Flask, world: World, ids: list[str]) -> None:
    client = visitor(web)
    client.get(ZIP + "original")
    client.get(ZIP + "web")
    with web.app_context(), open_site(world.alpha) as site:
        kept = site.session.scalars(select(Asset.crc32).where(Asset.id.in_(ids)).order_by(Asset.id)).all()
        assert kept == [zlib.crc32(path.read_bytes()) for path in gallery.sources()[:3]]
        renditions = select(Rendition.name).where(Rendition.crc32.is_not(None))
        assert set(site.session.scalars(renditions)) == {"w640.jpg"}
        # What is kept is believed: a wrong one shows up in the archive.
        site.session.execute(update(Asset).where(Asset.id == ids[0]).values(crc32=7))
        site.session.commit()
    with zipfile.ZipFile(BytesIO(client.get(ZIP + "original").data)) as archive:
        assert archive.testzip() == "Grüße.jpg"


def test_what_was_delivered_is_counted(web: Flask, world: World, ids: list[str]) -> None:
    client = visitor(web)
    size = len(client.get(ZIP + "web").data)
    client.get(ZIP + "web", headers={"Range": "bytes=0-99"})
    client.head(ZIP + "web")
    with web.app_context(), open_site(world.alpha) as site:
        events = site.session.scalars(select(UsageEvent).where(UsageEvent.meter == Meter.DELIVERED)).all()
        assert sorted(event.quantity for event in events) == [100, size]
        assert {event.album_id for event in events} == {world.alpha_album}


def test_a_selection_has_an_address_that_can_be_resumed(web: Flask, world: World, ids: list[str]) -> None:
    client = visitor(web)
    to = client.post("/a/alpha-shows/zip", data={"size": "original", "id": [ids[2], ids[0], "nonsense"]})
    assert to.status_code == 303 and to.location is not None
    whole = client.get(to.location)
    assert list(read(whole.data)) == ["Grüße.jpg", "写真.heic"]
    assert client.get(to.location, headers={"Range": "bytes=10-"}).data == whole.data[10:]
    assert client.post("/a/alpha-shows/zip", data={"size": "original"}).status_code == 422
    assert visitor(web, BETA).get(to.location.replace("alpha", "beta")).status_code == 404
    with web.app_context(), open_site(world.alpha) as site:
        made = site.session.scalars(select(DownloadList)).one()
        made.created_at -= KEPT + timedelta(seconds=1)
        site.session.commit()
    assert client.get(to.location).status_code == 410
    client.post("/a/alpha-shows/zip", data={"size": "web", "id": ids[:1]})
    with web.app_context(), open_site(world.alpha) as site:
        assert len(site.session.scalars(select(DownloadList)).all()) == 1


def test_only_those_who_may(web: Flask, world: World, ids: list[str]) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = False
        site.session.commit()
    for client in (visitor(web), member(web, world.alpha, world.adam)):
        assert client.get(ZIP + "original").status_code == 404
        assert client.post("/a/alpha-shows/zip", data={"size": "original", "id": ids}).status_code == 404
        assert client.get("/a/alpha-shows/download").status_code == 404
        assert "/download" not in client.get("/a/alpha-shows").text
    assert member(web, world.alpha, world.alice).get(ZIP + "original").status_code == 200
    guest = visitor(web)
    guest.get(share_link(web, world.alpha, world.alpha_album, rights=Rights.DOWNLOAD))
    assert guest.get(ZIP + "original").status_code == 200
    assert "/a/alpha-shows/download" in guest.get("/a/alpha-shows").text
    assert guest.get("/a/alpha-shows/zip?size=huge").status_code == 404


def test_the_page_says_how_much_it_is(web: Flask, ids: list[str]) -> None:
    page = visitor(web).get("/a/alpha-shows/download")
    assert "3 files" in page.text
    assert " MB" in page.text or " kB" in page.text
    assert page.text.count('name="id"') == 3


def test_no_visitor_takes_every_place(web: Flask, ids: list[str]) -> None:
    client = visitor(web)
    held = [begun(client) for _ in range(A_VISITOR)]
    refused = client.get(ZIP + "web")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert client.head(ZIP + "web").status_code == 200
    other = begun(client, place="10.1.1.1")
    last = begun(client, place="10.1.1.2")
    full = client.get(ZIP + "web", environ_base={"REMOTE_ADDR": "10.1.1.3"})
    assert full.status_code == 503 and "Retry-After" in full.headers
    held[0].close()
    assert client.get(ZIP + "web").status_code == 200
    for answer in (*held, other, last):
        answer.close()


def begun(client: Browser, place: str = "127.0.0.1") -> TestResponse:
    """A download whose body nobody has taken yet."""
    answer = client.get(ZIP + "web", buffered=False, environ_base={"REMOTE_ADDR": place})
    assert answer.status_code == 200
    return answer


def test_a_missing_file_cuts_the_archive_short(web: Flask, world: World, ids: list[str]) -> None:
    """Whoever counts the bytes notices; nothing is made up."""
    with web.app_context(), open_site(world.alpha) as site:
        asset = site.session.get_one(Asset, (world.alpha, ids[1]))
        site.blobs.delete(original_key(world.alpha, asset.id, asset.sha256))
    with pytest.raises(LookupError):
        visitor(web).get(ZIP + "original")


def test_what_is_not_shown_is_not_in_it(web: Flask, world: World, ids: list[str]) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        for asset_id in ids:
            site.session.get_one(Asset, (world.alpha, asset_id)).state = AssetState.REJECTED
        site.session.commit()
    assert visitor(web).get(ZIP + "original").status_code == 404


def test_a_lost_rendition_is_made_again_for_the_next_download(web: Flask, world: World, ids: list[str]) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.blobs.delete(rendition_key(world.alpha, ids[1], 1, "w640.jpg"))
    with pytest.raises(LookupError):
        visitor(web).get(ZIP + "web")
    with web.app_context(), open_site(world.alpha) as site:
        assert site.session.get_one(Asset, (world.alpha, ids[1])).rebuild_asked_at is not None
