"""What a second worker is worth: photos through queue, bridge and workers, with one worker and with two.

`python -m tests.bench.workers`. Each photo is the real job: fetched, decoded, resized, encoded to JPEG and AVIF, stored
and committed. Of a batch one worker alone has the last photo, so a batch is long enough for that not to count. What
the machine itself gives to a second process that only computes is measured between the rounds: no ratio can be above.
`VITRINE_BENCH_PHOTOS` (60), `VITRINE_BENCH_ROUNDS` (3).
"""

import multiprocessing
import os
import time
from hashlib import file_digest
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from processor import bridge
from processor.dispatch import Dispatch, MediaJob, connect
from tenants import catalog, outbox
from tenants.names import new_id, original_key
from tenants.scope import open_site, ports
from tests.bench.bridge import installation, pool, unfinished
from tests.bench.photographs import photographs

PHOTOS = int(os.environ.get("VITRINE_BENCH_PHOTOS", 60))
ROUNDS = int(os.environ.get("VITRINE_BENCH_ROUNDS", 3))


def receive(tenant: str, album_id: str, paths: list[Path]) -> None:
    """Assets whose photos are stored and whose messages wait."""
    with open_site(tenant) as site:
        album = catalog.album_by_id(site.session, tenant, album_id)
        assert album is not None
        for path in islice(cycle(paths), PHOTOS):
            asset_id = new_id()
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            site.blobs.put(original_key(tenant, asset_id, digest), path, content_type="image/jpeg")
            about = {"filename": path.name, "sha256": digest, "size": path.stat().st_size}
            catalog.add_asset(site.session, album, asset_id=asset_id, now=site.now(), **about)
            site.session.commit()
            ports().queue.send(outbox.media_job(tenant, asset_id), group=tenant)


def photos_a_second(tenant: str, album: str, url: str, workers: int, paths: list[Path]) -> float:
    receive(tenant, album, paths)
    with pool(url, workers, MediaJob):
        running = bridge.build(Dispatch(connect(url)))
        began = time.perf_counter()
        while running.held or unfinished(tenant):
            running.step()
        return PHOTOS / (time.perf_counter() - began)


def compute() -> None:
    total = 0
    for number in range(20_000_000):
        total += number * number


def seconds(processes: int) -> float:
    """How long as many processes take, each with the same to compute."""
    fleet = [multiprocessing.get_context("fork").Process(target=compute) for _ in range(processes)]
    began = time.perf_counter()
    for process in fleet:
        process.start()
    for process in fleet:
        process.join()
    return time.perf_counter() - began


def main() -> None:
    paths = photographs([])
    rounds: list[tuple[float, float, float]] = []
    with installation() as (tenant, album, url):
        for _ in range(ROUNDS):
            one, two = (photos_a_second(tenant, album, url, workers, paths) for workers in (1, 2))
            rounds.append((one, two, 2 * seconds(1) / seconds(2)))
    print(f"{PHOTOS} photographs of {len(paths)}, {os.cpu_count()} cores, {ROUNDS} rounds")
    for one, two, machine in rounds:
        print(
            f"one worker {one:5.2f} photos/s   two workers {two:5.2f} photos/s   {two / one:.2f}x"
            f"   (two processes that only compute {machine:.2f}x)"
        )
    print(f"median {median(two / one for one, two, _ in rounds):.2f}x")


if __name__ == "__main__":
    main()
