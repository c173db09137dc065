"""An album page of 200 photos beside the least that a page needs: `python -m tests.bench.page`.

The peer is a bare Flask route with one primary-key query (`tests/bench/bare.py`). Both run under the same gunicorn
with one worker process, on the same PostgreSQL, asked by wrk in turns. Compared are requests a second of the kept
page and of its 304, the CPU (the server process's, a request) of a page that is made anew, as after a change, and of
one of photos that the process has never seen (`tests/bench/cold.py`), and the median time of the first two with 10,000
tenants and 1,000,000 assets and with 10 and 1,000, in turns too.

`VITRINE_BENCH_ROUNDS` (5), `VITRINE_BENCH_SECONDS` (3, of wrk), `VITRINE_BENCH_TENANTS` (10,000). Other servers than
gunicorn's threads: `tests/bench/servers.py`.
"""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median

import psutil
import psycopg

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from flask_migrate import upgrade  # noqa: E402
from gallery import fill_rows, public_album  # noqa: E402
from loopback import free_port, wait_for_port  # noqa: E402
from postgres import Server, running  # noqa: E402

import wsgi  # noqa: E402
from infra.settings import load  # noqa: E402
from tenants import registry  # noqa: E402
from tenants.db import db  # noqa: E402
from tenants.scope import enter, ports  # noqa: E402
from tests.bench.many import multiply  # noqa: E402

ROUNDS = int(os.environ.get("VITRINE_BENCH_ROUNDS", 5))
SECONDS = int(os.environ.get("VITRINE_BENCH_SECONDS", 3))
TENANTS = int(os.environ.get("VITRINE_BENCH_TENANTS", 10_000))
HOST = "bench-0.localhost"
THREADS = "webapp.threads.Threads"
WEB, CHANGED, NEW = "wsgi:web", "tests.bench.anew:app", "tests.bench.cold:app"
Command = Callable[[str, int], list[str]]


@dataclass
class Site:
    """A server with one worker process, and what to ask it."""

    process: subprocess.Popen[bytes]
    port: int
    path: str
    headers: dict[str, str]

    def seconds(self) -> float:
        """CPU that the worker has used."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return sum(sum(child.cpu_times()[:2]) for child in children)

    def load(self, **more: str) -> tuple[float, float]:
        """Requests a second, and CPU seconds a request."""
        headers = [f"-H{name}: {value}" for name, value in {**self.headers, **more}.items()]
        before = self.seconds()
        run = ["wrk", "-t1", "-c8", f"-d{SECONDS}s", *headers, f"http://127.0.0.1:{self.port}{self.path}"]
        said = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        found = re.search(r"(\d+) requests in", said)
        assert found and "Non-2xx" not in said.replace("Non-2xx or 3xx responses: 0", ""), said
        asked = int(found.group(1))
        return asked / SECONDS, (self.seconds() - before) / asked

    def get(self, **more: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", self.path, headers={**self.headers, **more})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def milliseconds(self, times: int = 60) -> list[float]:
        """How long each answer took, one after another over one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            connection.request("GET", self.path, headers=self.headers)
            connection.getresponse().read()
            taken.append((time.perf_counter() - began) * 1000)
        connection.close()
        return taken


def gunicorn(worker: str, app: str, port: int) -> list[str]:
    """The web fleet's own configuration, with one worker process."""
    run = [sys.executable, "-m", "gunicorn", "-c", "webapp/gunicorn_conf.py", "--bind", f"127.0.0.1:{port}"]
    return [*run, "--workers", "1", "--worker-class", worker, "--max-requests", "0", app]


@contextmanager
def served(
    app: str, path: str, environ: dict[str, str], headers: dict[str, str], command: Command | None = None
) -> Iterator[Site]:
    """By gunicorn's threads, or by what `command` makes of the app and a port."""
    port = free_port()
    run = command(app, port) if command else gunicorn(THREADS, app, port)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(run, cwd=ROOT, env={**os.environ, **environ}, stdout=quiet, stderr=quiet)
    try:
        wait_for_port(port)
        site = Site(process, port, path, headers)
        for _ in range(50):
            assert site.get().status == 200
        yield site
    finally:
        process.terminate()
        process.wait()


def furnish(server: Server, folder: Path) -> tuple[dict[str, str], str]:
    """10 tenants with 1,000 photos in an album each, 200 of them the first's; the environment, and the first's id."""
    environ = {
        "VITRINE_DATA_DIR": str(folder),
        "VITRINE_LOG_FORMAT": "json",
        **addresses(server, server.copy("template1")),
    }
    os.environ.update(environ)
    app = wsgi.core(load())
    first = ""
    with app.app_context():
        upgrade(directory=str(ROOT / "infra/migrations"))
        for number in range(10):
            tenant = registry.create(db.session(), f"bench-{number}", f"Bench {number}", now=ports().clock.now())
            site = enter(tenant)
            first = first or site.tenant_id
            fill_rows(site, public_album(site, "Many"), {0: 200, 1: 100}.get(number, 88))
            site.session.commit()
        db.session.remove()
        db.engine.dispose()
    return environ, first


def addresses(server: Server, database: str) -> dict[str, str]:
    urls = server.urls(database)
    return {
        "VITRINE_DATABASE_URL": urls["database_url"],
        "VITRINE_DATABASE_OWNER_URL": urls["database_owner_url"],
    }


def compare(bare: Site, warm: Site, cold: Site, first: Site) -> None:
    etag = warm.get(**{"Accept-Encoding": "gzip"}).headers["ETag"]
    assert warm.get(**{"If-None-Match": etag}).status == 304
    rows = []
    for _ in range(ROUNDS):
        least, page = bare.load(), warm.load()
        unchanged, made = warm.load(**{"If-None-Match": etag}), cold.load()
        drawn = first.load()
        rows.append((page[0] / least[0], unchanged[0] / least[0], made[1] / least[1], drawn[1] / least[1]))
        print(
            f"bare {least[0]:6.0f}/s {least[1] * 1e3:5.2f} ms CPU   kept {page[0]:6.0f}/s {page[1] * 1e3:5.2f} ms   "
            f"304 {unchanged[0]:6.0f}/s {unchanged[1] * 1e3:5.2f} ms   made {made[0]:5.0f}/s {made[1] * 1e3:5.2f} ms   "
            f"drawn {drawn[0]:5.0f}/s {drawn[1] * 1e3:5.2f} ms"
        )
    kept, unchanged_, made_, drawn_ = (median(column) for column in zip(*rows, strict=True))
    print(f"kept page {kept:.2f}x the requests a second, 304 {unchanged_:.2f}x")
    print(f"a page made anew {made_:.2f}x the CPU, one with every tile drawn {drawn_:.2f}x")


def with_many(server: Server, environ: dict[str, str], database: str, few: tuple[Site, Site]) -> None:
    """The times of the kept page and of one that is made, beside those of `few` tenants."""
    with psycopg.connect(server.dsn("postgres", database), autocommit=True) as connection:
        tenants, assets = multiply(connection, TENANTS)
    environ = {**environ, **addresses(server, database)}
    headers = few[0].headers
    with ExitStack() as stack:
        many = [stack.enter_context(served(app, "/a/many", environ, headers)) for app in (WEB, CHANGED)]
        turns = [[site.milliseconds() for site in (*few, *many)] for _ in range(5 * ROUNDS)]
    print(f"with {tenants:,} tenants and {assets:,} assets, beside 10 and 1,000, median times:")
    kept, made, kept_of_many, made_of_many = (median(chain(*times)) for times in zip(*turns, strict=True))
    for name, large, small in (("kept", kept_of_many, kept), ("made anew", made_of_many, made)):
        print(f"{name:9} {large:5.2f} ms, beside {small:5.2f} ms   {large / small:.2f}x")


def main() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running())
        environ, tenant = furnish(server, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        more = server.copy(environ["VITRINE_DATABASE_URL"].rpartition("/")[2])
        asks = {"Host": HOST, "Accept-Encoding": "gzip", "Accept-Language": "en-GB,en;q=0.9"}
        bare = stack.enter_context(served("tests.bench.bare:app", f"/tenants/{tenant}", environ, {}))
        warm, cold, first = (stack.enter_context(served(app, "/a/many", environ, asks)) for app in (WEB, CHANGED, NEW))
        print(f"the web fleet's threads, one worker, {os.cpu_count()} cores, {ROUNDS} rounds of {SECONDS} s")
        compare(bare, warm, cold, first)
        with_many(server, environ, more, (warm, cold))


if __name__ == "__main__":
    main()
