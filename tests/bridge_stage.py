"""A bridge with a real queue and a real Redis, for tests that play its workers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from conftest import World
from flask import Flask
from rq.job import JobStatus
from sqlalchemy import update

from infra.local.queue import SqlQueue
from infra.ports import JobQueue
from processor import bridge
from processor.bridge import Bridge
from processor.dispatch import QUEUE, Dispatch, connect
from processor.worker import MediaWorker
from tenants import catalog
from tenants.catalog import Asset, AssetState
from tenants.db import db
from tenants.names import new_id
from tenants.outbox import media_job
from tenants.scope import open_site, ports


@dataclass
class Stage:
    """A bridge with a real queue and a real Redis, whose workers only exist as far as the test plays them."""

    bridge: Bridge
    dispatch: Dispatch
    queue: JobQueue
    tenant: str
    asset: str
    workers: list[MediaWorker]

    def set_state(self, state: AssetState) -> None:
        with open_site(self.tenant) as site:
            site.session.execute(update(Asset).where(Asset.id == self.asset).values(state=state))
            site.session.commit()

    def state(self) -> tuple[AssetState, str]:
        with open_site(self.tenant) as site:
            asset = site.session.get(Asset, (self.tenant, self.asset))
            assert asset is not None
            return asset.state, asset.reason

    def send(self) -> str:
        return self.queue.send(media_job(self.tenant, self.asset), group=self.tenant)

    def fail(self, job_id: str) -> None:
        """As RQ does when a job raises."""
        self.dispatch.queue.remove(job_id)
        self.dispatch.connection.hset(f"rq:job:{job_id}", "status", JobStatus.FAILED.value)


@pytest.fixture
def stage(core: Flask, world: World, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(bridge, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(bridge, "POLL_SECONDS", 0.01)
    with open_site(world.alpha) as site:
        album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        asset_id = new_id()
        catalog.add_asset(
            site.session, album, asset_id=asset_id, filename="a.jpg", sha256="a" * 64, size=5, now=site.now()
        )
        site.session.commit()
    with connect(redis_url) as client:
        client.flushall()
        queue = SqlQueue(db.engine, ports().clock, max_receives=2)
        core.extensions["vitrine.ports"] = replace(ports(), queue=queue)
        workers = [MediaWorker([QUEUE], connection=client) for _ in range(2)]
        for each in workers:
            each.register_birth()
        yield Stage(
            Bridge(queue, Dispatch(client), visibility=0.4, max_receives=2),
            Dispatch(client),
            queue,
            world.alpha,
            asset_id,
            workers,
        )
