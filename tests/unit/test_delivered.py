"""What the app sends of a site is counted as delivered: pages, kept ones, pictures and parts of films; to the byte."""

from collections import Counter
from pathlib import Path

import gallery
import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from visits import Browser, member, visitor

from infra.settings import Settings
from tenants.catalog import Visibility, album_by_id
from tenants.db import across_tenants, db
from tenants.delivered import MOST_ASSETS, Delivered, asset_of, is_billed, largest, owner_of
from tenants.names import new_id
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent
from webapp.delivered import Counted

BETA = "http://beta.localhost"


@pytest.fixture
def picture(web: Flask, world: World) -> str:
    """Address of a photo's rendition in alpha's public album."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.visibility = Visibility.PUBLIC
        gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]))
        slug = album.slug
        site.session.commit()
    page = visitor(web).get(f"/a/{slug}").text
    counter(web).flush()
    forget(web)
    return next(part.split('"')[0].split(" ")[0] for part in page.split('src="') if part.startswith("/m/"))


def counter(web: Flask) -> Delivered:
    found = web.extensions["vitrine.delivered"]
    assert isinstance(found, Delivered)
    return found


def events(web: Flask) -> list[UsageEvent]:
    with web.app_context():
        session = db.session()
        with across_tenants(session, "test"):
            found = list(session.scalars(select(UsageEvent).where(UsageEvent.meter == Meter.DELIVERED)))
            session.expunge_all()
            session.rollback()
    return found


_before: dict[int, set[str]] = {}


def forget(web: Flask) -> None:
    """Count from here on."""
    _before[id(web)] = {event.id for event in events(web)}


def billed(web: Flask) -> Counter[str]:
    """Bytes by tenant since `forget`."""
    counter(web).flush()
    found: Counter[str] = Counter()
    for event in events(web):
        if event.id not in _before.get(id(web), ()):
            found[event.tenant_id] += event.amount or 0
    return found


def test_a_page_counts_each_time_it_is_sent_kept_or_not(web: Flask, world: World) -> None:
    sizes = [len(visitor(web).get("/").data) for _ in range(2)]
    packed = visitor(web).get("/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert billed(web) == {world.alpha: sum(sizes) + len(packed.data)}


def test_nothing_is_billed_of_what_is_not_sent_or_not_the_sites(web: Flask, world: World) -> None:
    alice = member(web, world.alpha, world.alice)
    assert visitor(web).head("/").status_code == 200
    assert visitor(web).get("/nothing/here").status_code == 404
    assert alice.get("/dashboard/").status_code == 200
    assert visitor(web).get("/healthz").status_code == 200
    assert not billed(web)


def test_each_tenant_has_its_own(web: Flask, world: World) -> None:
    alpha, beta = (len(visitor(web, origin).get("/").data) for origin in (Browser.origin, BETA))
    assert billed(web) == {world.alpha: alpha, world.beta: beta}


def test_a_picture_counts_under_its_asset(web: Flask, world: World, picture: str) -> None:
    size = len(visitor(web).get(picture).data)
    part = visitor(web).get(picture, headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.data)) == (206, 100)
    etag = visitor(web).get(picture).headers["ETag"]
    assert visitor(web).get(picture, headers={"If-None-Match": etag}).status_code == 304
    assert billed(web) == {world.alpha: 2 * size + 100}
    assert {event.asset_id for event in events(web) if event.id not in _before[id(web)]} == {asset_of(picture)}


def test_a_client_that_leaves_early_pays_for_what_it_took(web: Flask, world: World, picture: str) -> None:
    answer = visitor(web).get(picture, buffered=False)
    first = next(answer.iter_encoded())
    answer.close()
    assert billed(web) == {world.alpha: len(first)}


def test_what_sendfile_sent_is_where_the_file_stands(tmp_path: Path) -> None:
    """As `socket.sendfile` does: it reads past the object and leaves the position behind the last byte sent."""
    path = tmp_path / "film"
    path.write_bytes(b"x" * 5000)
    seen: list[int] = []
    file = Counted(path.open("rb"), seen.append)
    assert file.fileno() > 0
    file.seek(1234)
    file.close()
    file.close()
    assert seen == [1234]


def test_what_could_not_be_written_is_written_later_and_once(
    web: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is away after the commit and before its answer: the same events come again and count once."""
    size = len(visitor(web).get("/").data)
    real, failed = Delivered._write, []

    def lost(self: Delivered, batch: object) -> bool:
        real(self, batch)  # type: ignore[arg-type]
        failed.append(1)
        return False

    kept = counter(web)
    sizes = {tenant: dict(some) for tenant, some in kept._open.sizes.items()} if kept._open else {}
    monkeypatch.setattr(Delivered, "_write", lost)
    kept.flush()
    monkeypatch.undo()
    (batch,) = kept._full
    for tenant, some in sizes.items():  # As if the answer to the commit had been lost.
        batch.sizes[tenant].update(some)
    more = len(visitor(web).get("/").data)
    assert failed and billed(web) == {world.alpha: size + more}


def test_a_database_that_is_away_loses_nothing(web: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(visitor(web).get("/").data)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("BEGIN", {}, Exception("away"))

    with monkeypatch.context() as patch:
        patch.setattr("tenants.delivered.open_site", away)
        counter(web).flush()
    assert not events(web)
    assert billed(web) == {world.alpha: size}


def test_many_assets_are_few_events() -> None:
    sizes: dict[str | None, int] = {f"a{number:02}": number for number in range(1, 101)} | {None: 7}
    kept = largest(sizes)
    assert len(kept) == MOST_ASSETS + 1 and sum(kept.values()) == sum(sizes.values())
    assert set(kept) == {None, *(f"a{number:02}" for number in range(81, 101))}
    assert largest({}) == {} and largest({"a": 1}) == {"a": 1}


def test_what_a_path_tells() -> None:
    asset, tenant = new_id(), new_id()
    assert asset_of(f"/m/way/token/{asset}/3/w640.jpg") == asset
    assert asset_of(f"/t/{tenant}/r/{asset}/3/w640.jpg") == asset
    assert owner_of(f"/t/{tenant}/o/{asset}/abc") == (tenant, asset)
    assert asset_of("/a/summer") is None and owner_of("/a/summer") is None and owner_of("/t/x/o/y/z") is None
    assert is_billed("/", 200) and is_billed("/embed/~k", 303) and is_billed("/dashboards", 200)
    assert not any(is_billed(path, 200) for path in ("/dashboard", "/dashboard/x", "/static/a.js", "/healthz"))
    assert not is_billed("/", 404) and not is_billed("/", 500) and not is_billed("/", 0)


class TestWhereTheEdgeTells:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        about = {"aws_region": "eu-central-1", "cloudfront_distribution": "E1", "cloudfront_log_bucket": "logs"}
        return settings.model_copy(update={"deliveries": "cloudfront", **about})

    def test_the_app_counts_nothing(self, web: Flask, world: World) -> None:
        """Or what the logs tell would be billed twice."""
        visitor(web).get("/")
        assert "vitrine.delivered" not in web.extensions and not events(web)
