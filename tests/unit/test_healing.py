"""Many find the same picture missing at the same moment: one of them has it rebuilt."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from conftest import World
from flask import Flask

from tenants import catalog, healing
from tenants.catalog import AssetState, Rendition
from tenants.db import db
from tenants.names import RenditionKey, new_id
from tenants.outbox import Outbox
from tenants.scope import open_site

pytestmark = pytest.mark.every_database

CROWD = 12


def test_one_of_a_crowd_asks(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        about = {"asset_id": new_id(), "filename": "a.jpg", "sha256": "0" * 64, "size": 1, "now": site.now()}
        asset = catalog.add_asset(site.session, album, **about)
        asset.state, asset.generation, asset.fence = AssetState.READY, 1, 1
        lost = RenditionKey(world.alpha, asset.id, 1, "w640.jpg")
        row = {"tenant_id": lost.tenant, "asset_id": lost.asset, "generation": 1, "name": lost.name}
        site.session.add(Rendition(**row, content_type="image/jpeg", width=1, height=1, size=1))
        site.session.commit()
    together = Barrier(CROWD)

    def ask(_number: int) -> bool:
        with core.app_context():
            try:
                together.wait(60)
                with open_site(world.alpha) as site:
                    return healing.ask(site, lost, why="all at once")
            finally:
                db.session.remove()

    with ThreadPoolExecutor(CROWD) as crowd:
        assert sorted(crowd.map(ask, range(CROWD))) == [False] * (CROWD - 1) + [True]
    with open_site(world.alpha) as site:
        assert [body["why"] for body in site.session.scalars(site.session.query(Outbox.body).statement)] == ["rebuild"]
