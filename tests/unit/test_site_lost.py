"""A rendition is deleted behind our back: pages answer, one job makes it again, and the picture is back.

The real steps on a real photograph; blobs are files, then S3 as moto's server has it, where an object is deleted or
lost as reduced redundancy loses it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

import gallery
import pytest
from aws_double import DoubleClock
from aws_double import lose as lose_in
from behind import s3_bucket
from conftest import World
from flask import Flask
from sqlalchemy import select
from visits import visitor

import wsgi
from infra.settings import Settings
from processor import jobs
from processor.giving_up import give_up
from tenants import catalog, healing
from tenants.catalog import Asset, AssetState, Rendition
from tenants.db import db
from tenants.delivery import by_openness
from tenants.names import RenditionKey, new_id, original_key, rendition_key
from tenants.outbox import Outbox
from tenants.scope import Site, open_site, settings
from tenants.usage import UsageEvent

ALBUM = "/a/alpha-shows"
LOST = "s3: moto server, corrected, answers 405"
BLOBS = ["files: a real folder", "s3: moto server", LOST]


@pytest.fixture(params=BLOBS)
def app(request: pytest.FixtureRequest, world: World) -> Iterator[Flask]:
    """The web fleet, which also runs the jobs here; its blobs are in what the parameter says."""
    if request.param.startswith("files"):
        yield request.getfixturevalue("web")
        return
    request.getfixturevalue("keys")
    given: Settings = request.getfixturevalue("settings")
    double: DoubleClock = request.getfixturevalue("moto_clock")
    bucket = request.getfixturevalue("unique")
    with s3_bucket(double.url, bucket, versioned=True):
        about = {"aws_region": "us-east-1", "aws_endpoint_url": double.url, "s3_bucket": bucket}
        app = wsgi.make_web(given.model_copy(update={"blobs": "s3", **about}))
        app.extensions["loses"] = request.param == LOST
        yield app
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def photo(app: Flask, world: World) -> str:
    """The id of a photo that was processed as any other is."""
    data = gallery.sources()[0].read_bytes()
    digest, asset_id = sha256(data).hexdigest(), new_id()
    with app.app_context(), open_site(world.alpha) as site:
        site.blobs.put(original_key(world.alpha, asset_id, digest), data, content_type="image/jpeg")
        album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        about = {"filename": "a.jpg", "sha256": digest, "size": len(data)}
        catalog.add_asset(site.session, album, asset_id=asset_id, now=site.now(), **about)
        site.session.commit()
        jobs.run(world.alpha, asset_id, "message", 1)
    return asset_id


@pytest.fixture
def lose(app: Flask, world: World, photo: str) -> Callable[..., None]:
    def remove(*names: str, generation: int = 1) -> None:
        with app.app_context(), open_site(world.alpha) as site:
            for name in names:
                key = rendition_key(world.alpha, photo, generation, name)
                if app.extensions.get("loses"):
                    lose_in(settings().aws_endpoint_url, settings().s3_bucket, key)
                else:
                    site.blobs.delete(key)

    return remove


def base(app: Flask, world: World, photo: str, generation: int = 1) -> str:
    with app.app_context(), open_site(world.alpha) as site:
        return f"/m/{site.generation_token(by_openness(world.alpha_album), photo, generation)}/{photo}/{generation}/"


def asset_of(site: Site, asset_id: str) -> Asset:
    return site.session.get_one(Asset, (site.tenant_id, asset_id))


def jobs_waiting(app: Flask, world: World) -> list[dict[str, str]]:
    with app.app_context(), open_site(world.alpha) as site:
        return list(site.session.scalars(select(Outbox.body)))


def test_a_crowd_finds_it_missing_and_one_job_brings_it_back(
    app: Flask, world: World, photo: str, lose: Callable[..., None]
) -> None:
    path = base(app, world, photo) + "w640.jpg"
    whole = visitor(app).get(path).data
    lose("w640.jpg")

    def look(_visit: int) -> tuple[int, str, str]:
        answer = visitor(app).get(path)
        return answer.status_code, str(answer.content_type), answer.headers["Cache-Control"]

    with ThreadPoolExecutor(8) as crowd:
        assert set(crowd.map(look, range(50))) == {(200, "image/jpeg", "no-store")}
    (job,) = jobs_waiting(app, world)
    assert (job["kind"], job["asset"], job["why"]) == ("media", photo, "rebuild")
    page = visitor(app).get(ALBUM)
    assert page.status_code == 200 and photo in page.text and "w640.jpg" in page.text

    with app.app_context():
        for attempt in (1, 2, 3):  # Delivered again and again, as queues do.
            jobs.run(world.alpha, photo, "message", attempt)
    with app.app_context(), open_site(world.alpha) as site:
        asset = asset_of(site, photo)
        assert (asset.state, asset.generation, asset.rebuild_asked_at) == (AssetState.READY, 2, None)
        assert [event.id for event in site.session.scalars(select(UsageEvent))] == [f"photo:{photo}"]
    assert f"/{photo}/2/w640.jpg" in visitor(app).get(ALBUM).text
    back = visitor(app).get(base(app, world, photo, 2) + "w640.jpg")
    assert (back.data, "immutable" in back.headers["Cache-Control"]) == (whole, True)
    old_page = visitor(app).get(path)
    assert (old_page.data, old_page.headers["Cache-Control"]) == (whole, "no-store")
    assert len(jobs_waiting(app, world)) == 1, "an older generation's loss needs no job"


def test_the_shown_generation_stays_until_the_new_one_is_whole(
    app: Flask, world: World, photo: str, lose: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose("w320.jpg")
    visitor(app).get(base(app, world, photo) + "w320.jpg")
    seen: list[int] = []

    def watched(site: Site, *rest: object) -> None:
        publish(site, *rest)  # type: ignore[arg-type]
        seen.append(asset_of(site, photo).generation)
        site.session.rollback()

    publish = jobs.commit.publish
    monkeypatch.setattr(jobs.commit, "publish", watched)
    with app.app_context():
        jobs.run(world.alpha, photo, "message", 1)
    assert seen and set(seen) == {1}
    with app.app_context(), open_site(world.alpha) as site:
        assert asset_of(site, photo).generation == 2


def test_with_nothing_left_the_answer_is_503_for_now(
    app: Flask, world: World, photo: str, lose: Callable[..., None]
) -> None:
    with app.app_context(), open_site(world.alpha) as site:
        names = list(site.session.scalars(select(Rendition.name)))
    lose(*names)
    answer = visitor(app).get(base(app, world, photo) + "w640.jpg")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (503, "no-store")
    assert int(answer.headers["Retry-After"]) > 0
    page = visitor(app).get(ALBUM)
    assert page.status_code == 200 and photo in page.text
    assert visitor(app).get(base(app, world, photo) + "w641.jpg").status_code == 404, "it never existed"


def test_a_rebuild_that_fails_leaves_what_there_was_and_is_not_asked_for_again_at_once(
    app: Flask, world: World, photo: str, lose: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose("w640.jpg")
    path = base(app, world, photo) + "w640.jpg"
    visitor(app).get(path)
    with app.app_context():
        assert give_up(world.alpha, photo)
    with app.app_context(), open_site(world.alpha) as site:
        asset = asset_of(site, photo)
        assert (asset.state, asset.reason, asset.generation) == (AssetState.READY, "", 1)
    assert visitor(app).get(path).status_code == 200
    assert len(jobs_waiting(app, world)) == 1
    monkeypatch.setattr(healing, "PAUSE", timedelta())
    assert visitor(app).get(path).status_code == 200
    assert len(jobs_waiting(app, world)) == 2


def test_a_rebuild_that_is_refused_leaves_what_there_was(
    app: Flask, world: World, photo: str, lose: Callable[..., None]
) -> None:
    lose("w640.jpg")
    visitor(app).get(base(app, world, photo) + "w640.jpg")
    with app.app_context(), open_site(world.alpha) as site:
        key = original_key(world.alpha, photo, asset_of(site, photo).sha256)
        site.session.rollback()
        site.blobs.delete(key)
        site.blobs.put(key, b"no picture any more", content_type="image/jpeg")
        jobs.run(world.alpha, photo, "message", 1)
    with app.app_context(), open_site(world.alpha) as site:
        asset = asset_of(site, photo)
        assert (asset.state, asset.generation, asset.reason) == (AssetState.READY, 1, "")
        assert set(site.session.scalars(select(Rendition.generation))) == {1}
    assert visitor(app).get(base(app, world, photo) + "w320.jpg").status_code == 200


def test_what_is_not_lost_is_not_rebuilt(app: Flask, world: World, photo: str) -> None:
    with app.app_context(), open_site(world.alpha) as site:
        assert not healing.ask(site, RenditionKey(world.alpha, photo, 1, "w640.jpg"), why="a rumour")
        assert not healing.ask(site, RenditionKey(world.alpha, photo, 1, "w641.jpg"), why="a rumour")
        assert not healing.ask(site, RenditionKey(world.alpha, new_id(), 1, "w640.jpg"), why="a rumour")
    assert jobs_waiting(app, world) == []
