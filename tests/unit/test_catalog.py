"""Albums and assets: names, order, duplicates; usage and the outbox, which are written in the same transaction."""

from datetime import timedelta

import pytest
from conftest import World
from flask import Flask

from infra.errors import Problem
from tenants import catalog, filenames, outbox, usage
from tenants.db import across_tenants, db
from tenants.names import new_id
from tenants.scope import Site, open_site
from tenants.usage import Meter

pytestmark = pytest.mark.every_database


def received(site: Site, album_id: str, filename: str, sha256: str = "a" * 64) -> catalog.Asset:
    album = catalog.album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    return catalog.add_asset(
        site.session, album, asset_id=new_id(), filename=filename, sha256=sha256, size=3, now=site.now()
    )


def test_natural_order_and_clean_names() -> None:
    names = ["IMG_10.jpg", "img_9.jpg", "Img_100.jpg"]
    assert sorted(names, key=filenames.sort_name) == ["img_9.jpg", "IMG_10.jpg", "Img_100.jpg"]
    assert filenames.clean_filename("C:\\photos\\..\\a\x00b\u202e.jpg") == "ab.jpg"
    assert filenames.clean_filename("../../etc/passwd") == "passwd"
    assert filenames.clean_filename(" ./ ") == "unnamed"
    assert len(filenames.clean_filename("x" * 500 + ".jpg")) == 255


def test_albums_get_readable_slugs_of_their_own(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        slugs = [
            catalog.create_album(site.session, world.alpha, title, now=site.now()).slug
            for title in ("Été à Paris!", "été à paris", "???", "写真 2024")
        ]
        assert slugs == ["été-à-paris", "été-à-paris-2", "album", "写真-2024"]
        with pytest.raises(Problem, match="title"):
            catalog.create_album(site.session, world.alpha, "  ", now=site.now())


def test_assets_are_appended_and_twins_are_marked(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        first = received(site, world.alpha_album, "a.jpg")
        second = received(site, world.alpha_private, "b.jpg")
        third = received(site, world.alpha_album, "c.jpg", "b" * 64)
        assert first.duplicate_of is None
        assert second.duplicate_of == first.id
        assert third.position > first.position
        site.session.commit()
    with open_site(world.beta) as site:
        assert received(site, world.beta_album, "a.jpg").duplicate_of is None


def test_usage_counts_an_event_once(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        now = site.now()
        assert site.use("upload:1", Meter.UPLOADED, 10)
        assert not site.use("upload:1", Meter.UPLOADED, 10)
        assert site.use("upload:2", Meter.UPLOADED, 5)
        window = (now - timedelta(hours=1), now + timedelta(hours=1))
        assert usage.total(site.session, Meter.UPLOADED, *window) == 15
        assert usage.total(site.session, Meter.STORED, *window) == 0
        site.session.commit()
    with open_site(world.beta) as site:
        assert usage.total(site.session, Meter.UPLOADED, *window) == 0


def test_the_outbox_goes_with_its_transaction(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        site.enqueue(outbox.media_job(world.alpha, "1"))
        site.session.rollback()
        site.enqueue(outbox.media_job(world.alpha, "2"))
        site.session.commit()
    with across_tenants(db.session(), "test") as session:
        assert [row.body["asset"] for row in outbox.pending(session)] == ["2"]
