"""Which server the web fleet should run: `python -m tests.bench.servers`.

gunicorn's sync, gthread and gevent workers, our own threads and granian serve the same app in one process each, on one
PostgreSQL, asked by wrk in turns: a bare route, an album page of 200 photos that is kept, and one that is made anew.
Told are requests a second and CPU a request beside gunicorn gthread's of the same round, and how many requests a second
are left while some visitors have connected and send nothing, as browsers' spare connections do.

`VITRINE_BENCH_ROUNDS` (5), `VITRINE_BENCH_SECONDS` (3, of wrk).
"""

import functools
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.bench import page
from tests.bench.page import Site

sys.path.insert(0, str(page.ROOT / "tests"))

from postgres import running

BASE = "gunicorn gthread"
GRANIAN = "granian==2.8.9"
SILENT = 12
"""Connections that say nothing; the web fleet has eight threads a process."""
ASKS = {"Host": page.HOST, "Accept-Encoding": "gzip", "Accept-Language": "en-GB,en;q=0.9"}


def granian(packages: str, app: str, port: int) -> list[str]:
    """With the packages of this environment, which are the app's; granian itself is in the folder `packages`."""
    start = f"import sys; sys.path.insert(0, {packages!r}); from granian.cli import entrypoint; entrypoint()"
    run = [sys.executable, "-c", start, "--interface", "wsgi", "--workers", "1", "--blocking-threads", "8", "--no-ws"]
    return [*run, "--log-level", "error", "--host", "127.0.0.1", "--port", str(port), app]


def servers(folder: str) -> dict[str, page.Command]:
    """By name; installs granian into the folder."""
    install = [str(page.ROOT / ".tools/bin/uv"), "pip", "install", "--quiet", "--target", folder, GRANIAN]
    subprocess.run([*install, "--python", sys.executable], check=True)
    kinds: dict[str, page.Command] = {
        f"gunicorn {kind}": functools.partial(page.gunicorn, kind) for kind in ("gthread", "sync", "gevent")
    }
    kinds["our threads"] = functools.partial(page.gunicorn, page.THREADS)
    return {**kinds, "granian": functools.partial(granian, folder)}


def left_with_silent(site: Site) -> float:
    """Requests a second while `SILENT` connections are open on which nothing comes."""
    with ExitStack() as open_ones:
        for _ in range(SILENT):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", site.port)))
        try:
            return site.load()[0]
        except (AssertionError, ZeroDivisionError):  # wrk had no answer at all.
            return 0.0


def compare(what: str, sites: dict[str, Site]) -> None:
    rounds = [{server: site.load() for server, site in sites.items()} for _ in range(page.ROUNDS)]
    for server in sites:
        speed = median(each[server][0] / each[BASE][0] for each in rounds)
        cpu = median(each[server][1] / each[BASE][1] for each in rounds)
        print(f"{what:5} {server:17} {speed:.2f}x its requests a second, {cpu:.2f}x its CPU a request")
    if what == "kept":
        for server, site in sites.items():
            before, silent = site.load()[0], left_with_silent(site)
            print(f"{what:5} {server:17} with {SILENT} silent connections {silent / before:.2f}x as many as without")


def main() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environ, tenant = page.furnish(server, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        asked: dict[str, tuple[str, str, dict[str, str]]] = {
            "bare": ("tests.bench.bare:app", f"/tenants/{tenant}", {}),
            "kept": ("wsgi:web", "/a/many", ASKS),
            "made": ("tests.bench.anew:app", "/a/many", ASKS),
        }
        print(f"one process each, {os.cpu_count()} cores, {page.ROUNDS} rounds of {page.SECONDS} s, beside {BASE}:")
        commands = servers(folder)
        for what, (app, path, headers) in asked.items():
            # Not all at once: their connections would be more than the database takes.
            with ExitStack() as running_ones:
                sites = {
                    name: running_ones.enter_context(page.served(app, path, environ, headers, command))
                    for name, command in commands.items()
                }
                compare(what, sites)


if __name__ == "__main__":
    main()
