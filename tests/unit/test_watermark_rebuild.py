"""A new mark in the background: which photos are made again, when, and what is shown meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from io import BytesIO

import pytest
from conftest import World
from flask import Flask
from PIL import Image
from sqlalchemy import delete, select, update

from processor import jobs, reconcile
from tenants import catalog, healing, watermarks
from tenants.catalog import Album, Asset, AssetState, Rendition
from tenants.names import brand_key, new_id, original_key, rendition_key
from tenants.outbox import Outbox
from tenants.registry import Tenant
from tenants.scope import Site, open_site
from tenants.sharing import Rights, ShareLink, create_link
from tenants.usage import UsageEvent
from tenants.watermarks import Progress, Watermark

pytestmark = pytest.mark.every_database


@pytest.fixture
def photo(core: Flask, world: World) -> Callable[[str], str]:
    """A photo, processed without a mark, in the album of that id."""

    def make(album_id: str) -> str:
        out = BytesIO()
        Image.linear_gradient("L").convert("RGB").save(out, "JPEG")
        digest, asset_id = sha256(out.getvalue()).hexdigest(), new_id()
        with open_site(world.alpha) as site:
            site.blobs.put(original_key(world.alpha, asset_id, digest), out.getvalue(), content_type="image/jpeg")
            album = site.session.get_one(Album, (world.alpha, album_id))
            about = {"asset_id": asset_id, "filename": "a.jpg", "sha256": digest, "size": 1, "now": site.now()}
            catalog.add_asset(site.session, album, **about)
            site.session.commit()
        jobs.run(world.alpha, asset_id, "message", 1)
        waiting(world)
        return asset_id

    return make


def make_mark(site: Site, opacity: int = 60) -> Watermark:
    out = BytesIO()
    Image.new("RGBA", (40, 20), (255, 255, 255, 255)).save(out, "PNG")
    digest = sha256(out.getvalue()).hexdigest()
    found = watermarks.of(site)
    if found is None:
        site.blobs.put(brand_key(site.tenant_id, digest), out.getvalue(), content_type="image/png")
        found = Watermark(tenant_id=site.tenant_id, drawn_sha256=digest)
        site.session.add(found)
    found.opacity = opacity
    site.session.flush()
    return found


def mark_all(world: World, opacity: int = 60) -> int:
    """Everything of alpha's is marked; how many photos are asked for."""
    with open_site(world.alpha) as site:
        make_mark(site, opacity)
        site.session.get_one(Tenant, world.alpha).marks = True
        site.session.flush()
        asked = watermarks.ask(site)
        site.session.commit()
        return asked


def waiting(world: World) -> list[str]:
    """Ids of the assets whose jobs wait; they wait no more."""
    with open_site(world.alpha) as site:
        found = [body["asset"] for body in site.session.scalars(select(Outbox.body))]
        site.session.execute(delete(Outbox))
        site.session.commit()
        return found


def shown(world: World, asset_id: str) -> tuple[int, str | None, set[str]]:
    """The generation that pages show, its mark, and its marked renditions."""
    with open_site(world.alpha) as site:
        asset = site.session.get_one(Asset, (world.alpha, asset_id))
        its = select(Rendition.name).where(Rendition.asset_id == asset_id, Rendition.generation == asset.generation)
        names = set(site.session.scalars(its.where(Rendition.name.startswith("m/"))))
        for name in names:
            site.blobs.stat(rendition_key(world.alpha, asset_id, asset.generation, name))
        return asset.generation, asset.mark, names


def progress(world: World) -> Progress:
    with open_site(world.alpha) as site:
        return watermarks.progress(site)


def test_a_new_mark_has_photos_made_again_and_the_old_ones_stay_until_then(
    world: World, photo: Callable[[str], str]
) -> None:
    asset_id = photo(world.alpha_album)
    assert shown(world, asset_id) == (1, None, set())
    assert mark_all(world) == 1
    assert progress(world) == Progress(done=0, of=1)
    assert waiting(world) == [asset_id]
    assert mark_all(world) == 0, "it is under way"
    jobs.run(world.alpha, asset_id, "message", 1)
    generation, first, names = shown(world, asset_id)
    assert (generation, names) == (2, {"m/w256.jpg", "m/w256.avif"})
    assert progress(world) == Progress(done=1, of=1)
    # Another look: pages show the one before until the new one is whole.
    assert mark_all(world, opacity=90) == 1
    assert shown(world, asset_id) == (generation, first, names)
    assert progress(world) == Progress(done=0, of=1)
    jobs.run(world.alpha, asset_id, "message", 1)
    generation, second, _ = shown(world, asset_id)
    assert generation == 3
    assert second != first
    with open_site(world.alpha) as site:
        assert len(site.session.scalars(select(UsageEvent)).all()) == 1, "nobody pays for it twice"


def test_only_what_someone_sees_marked_is_made_so(world: World, photo: Callable[[str], str]) -> None:
    in_open, in_private = photo(world.alpha_album), photo(world.alpha_private)
    with open_site(world.alpha) as site:
        make_mark(site)
        assert watermarks.ask(site) == 0
        album = site.session.get_one(Album, (world.alpha, world.alpha_private))
        link, _ = create_link(site.session, album, "k" * 32, now=site.now(), rights=Rights.VIEW, marks=True)
        site.session.flush()
        assert watermarks.ask(site) == 1
        site.session.commit()
        link_id = link.id
    assert waiting(world) == [in_private]
    jobs.run(world.alpha, in_private, "message", 1)
    jobs.run(world.alpha, in_open, "message", 1)
    assert shown(world, in_private)[2]
    assert not shown(world, in_open)[2]
    with open_site(world.alpha) as site:
        site.session.get_one(ShareLink, (world.alpha, link_id)).revoked_at = site.now()
        site.session.flush()
        assert watermarks.progress(site) == Progress(done=0, of=0)
    with open_site(world.alpha) as site:
        make_mark(site)
        site.session.get_one(Tenant, world.alpha).marks = True
        site.session.get_one(Album, (world.alpha, world.alpha_album)).marks = False
        site.session.flush()
        assert watermarks.progress(site) == Progress(done=1, of=1)
        site.session.rollback()


def test_a_new_upload_is_marked_from_the_start(world: World, photo: Callable[[str], str]) -> None:
    mark_all(world)
    generation, mark, names = shown(world, photo(world.alpha_album))
    assert generation == 1
    assert mark
    assert names == {"m/w256.jpg", "m/w256.avif"}


def test_many_photos_come_one_after_the_other(
    world: World, photo: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "AT_ONCE", 2)
    monkeypatch.setattr(watermarks.ask, "__defaults__", (2,))
    ids = {photo(world.alpha_album) for _ in range(4)}
    assert mark_all(world) == 2
    done: set[str] = set()
    while under_way := waiting(world):
        assert len(under_way) <= 2
        for asset_id in under_way:
            jobs.run(world.alpha, asset_id, "message", 1)
            done.add(asset_id)
    assert done == ids
    assert progress(world) == Progress(done=4, of=4)


def test_reconcile_finds_what_a_job_made_with_the_mark_before(
    core: Flask, world: World, photo: Callable[[str], str]
) -> None:
    asset_id = photo(world.alpha_album)
    mark_all(world)
    jobs.run(world.alpha, asset_id, "message", 1)
    waiting(world)
    with open_site(world.alpha) as site:
        make_mark(site, opacity=90)  # By someone who crashed before asking.
        site.session.commit()
    assert reconcile.run().marked_again == 1
    assert waiting(world) == [asset_id]
    assert reconcile.run().marked_again == 0
    jobs.run(world.alpha, asset_id, "message", 1)
    assert progress(world) == Progress(done=1, of=1)


def test_a_rebuild_that_fails_leaves_what_is_shown_and_waits(world: World, photo: Callable[[str], str]) -> None:
    asset_id = photo(world.alpha_album)
    with open_site(world.alpha) as site:
        asset = site.session.get_one(Asset, (world.alpha, asset_id))
        key = original_key(world.alpha, asset_id, asset.sha256)
        site.blobs.delete(key)
        site.blobs.put(key, b"no photo any more", content_type="image/jpeg")
    assert mark_all(world) == 1
    jobs.run(world.alpha, asset_id, "message", 1)
    with open_site(world.alpha) as site:
        asset = site.session.get_one(Asset, (world.alpha, asset_id))
        assert (asset.state, asset.generation) == (AssetState.READY, 1)
        assert site.session.scalars(select(Rendition.generation).distinct()).all() == [1]
        assert watermarks.ask(site) == 0, "not again at once"
        site.session.execute(update(Asset).values(rebuild_asked_at=site.now() - healing.PAUSE - timedelta(minutes=1)))
        assert watermarks.ask(site) == 1
        site.session.rollback()
