"""What the job queue costs: jobs through queue and bridge beside the same jobs put straight into RQ.

`python tests/bench/bridge.py`. The same pool of forking workers runs the same job, which does nothing but mark its
asset as ready; so the difference is the bridge's: receive, look at the database, enqueue when a worker is free, delete.
Both take turns in short rounds, so that other work on the machine meets both alike, and the median of the rounds'
ratios counts. `VITRINE_BENCH_JOBS` (60, in a round), `VITRINE_WORKERS` (2), `VITRINE_BENCH_ROUNDS` (15).
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from flask_migrate import upgrade  # noqa: E402
from loopback import free_port, wait_for_port  # noqa: E402
from sqlalchemy import func, select, update  # noqa: E402

import wsgi  # noqa: E402
from infra.ports import Message  # noqa: E402
from infra.settings import load  # noqa: E402
from infra.sql import reading  # noqa: E402
from processor import bridge  # noqa: E402
from processor.dispatch import Dispatch, MediaJob, connect  # noqa: E402
from processor.worker import MediaPool, preload  # noqa: E402
from tenants import catalog, outbox, registry  # noqa: E402
from tenants.catalog import Asset, AssetState  # noqa: E402
from tenants.db import db  # noqa: E402
from tenants.names import new_id  # noqa: E402
from tenants.scope import enter, open_site, ports, settings  # noqa: E402

JOBS = int(os.environ.get("VITRINE_BENCH_JOBS", 60))
ROUNDS = int(os.environ.get("VITRINE_BENCH_ROUNDS", 15))


def mark_ready(tenant: str, asset: str, *_about: object) -> None:
    with open_site(tenant) as site:
        site.session.execute(update(Asset).where(Asset.id == asset).values(state=AssetState.READY))
        site.session.commit()


class BenchJob(MediaJob):
    ALLOWED = {"processor.jobs.run": mark_ready}  # noqa: RUF012


@contextmanager
def redis() -> Iterator[str]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def pool(url: str, count: int, job_class: type[MediaJob]) -> Iterator[None]:
    """Workers in a process of their own, until the body ends."""

    def serve() -> None:
        MediaPool(connect(url), count, grace=5, job_class=job_class).start()

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    dispatch = Dispatch(connect(url))
    while dispatch.fleet().free < count:
        time.sleep(0.05)
    try:
        yield
    finally:
        process.terminate()
        process.join()


def receive(tenant: str, album: str) -> list[str]:
    """Assets that wait to be processed."""
    ids = [new_id() for _ in range(JOBS)]
    with open_site(tenant) as site:
        for asset_id in ids:
            found = catalog.album_by_id(site.session, tenant, album)
            assert found is not None
            catalog.add_asset(
                site.session, found, asset_id=asset_id, filename="a.jpg", sha256="a" * 64, size=1, now=site.now()
            )
        site.session.commit()
    return ids


def unfinished(tenant: str) -> int:
    with open_site(tenant) as site, reading():
        return site.session.scalar(select(func.count()).where(Asset.state != AssetState.READY)) or 0


def still_at_work(began: float) -> None:
    """Raises rather than wait for ever for a job that failed."""
    if time.perf_counter() - began > 120:
        raise RuntimeError("a job did not mark its asset as ready; the workers' lines above may say why")


def straight(tenant: str, album: str, dispatch: Dispatch) -> float:
    """Jobs a second with RQ alone."""
    ids = receive(tenant, album)
    began = time.perf_counter()
    for asset_id in ids:
        body = outbox.media_job(tenant, asset_id)
        message = Message(new_id(), "", body, tenant, 1, datetime.now(UTC))
        dispatch.put(message.id, message)
    while unfinished(tenant):
        still_at_work(began)
        time.sleep(0.01)
    return JOBS / (time.perf_counter() - began)


def bridged(tenant: str, album: str, dispatch: Dispatch) -> float:
    """Jobs a second from the first receive until the last message is deleted."""
    ids = receive(tenant, album)
    for asset_id in ids:
        ports().queue.send(outbox.media_job(tenant, asset_id), group=tenant)
    running = bridge.build(dispatch)
    began = time.perf_counter()
    while running.held or unfinished(tenant):
        still_at_work(began)
        running.step()
    taken = time.perf_counter() - began
    assert ports().queue.depth().waiting == 0
    return JOBS / taken


@contextmanager
def installation() -> Iterator[tuple[str, str, str]]:
    """Tenant, album and Redis of an empty installation, in whose app the body runs."""
    with tempfile.TemporaryDirectory() as folder, redis() as url:
        app = wsgi.core(load(data_dir=Path(folder), redis_url=url, log_format="json"))
        with app.app_context():
            upgrade(directory=str(ROOT / "infra/migrations"))
            session = db.session()
            now = ports().clock.now()
            tenant = registry.create(session, "bench", "Bench", now=now)
            site = enter(tenant)
            album = catalog.create_album(session, site.tenant_id, "Bench", now=now).id
            session.commit()
            preload()
            yield site.tenant_id, album, url
            db.session.remove()
            db.engine.dispose()


def main() -> None:
    with installation() as (tenant, album, url):
        workers = settings().workers
        with pool(url, workers, BenchJob):
            dispatch = Dispatch(connect(url))
            rounds = [(straight(tenant, album, dispatch), bridged(tenant, album, dispatch)) for _ in range(ROUNDS)]
            cpu = time.process_time()
            bridged(tenant, album, dispatch)
            cpu = time.process_time() - cpu
    print(f"{JOBS} jobs that do nothing, {workers} forking workers, {os.cpu_count()} cores, {ROUNDS} rounds")
    for alone, with_bridge in rounds:
        print(f"RQ alone {alone:6.1f} jobs/s   queue and bridge {with_bridge:6.1f} jobs/s   {with_bridge / alone:.2f}x")
    ratios = sorted(with_bridge / alone for alone, with_bridge in rounds)
    best = [max(column) for column in zip(*rounds, strict=True)]
    print(f"median of the ratios {median(ratios):.2f}x, best of each {best[1] / best[0]:.2f}x of RQ alone")
    print(f"CPU of this process, sending and bridge: {1000 * cpu / JOBS:.1f} ms a job")


if __name__ == "__main__":
    main()
