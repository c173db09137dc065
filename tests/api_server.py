"""The web fleet as it runs, for programs at its API: gunicorn, a real socket, the test's own database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from loopback import free_port, wait_for_port

from infra.settings import Settings

# Its own limit would stop a run after a few seconds: the limit has tests of its own.
PROGRAM = """
import webapp.api.access
from wsgi import make_web

webapp.api.access.PER_MINUTE = webapp.api.access.WRONG_PER_MINUTE = 10**9
web = make_web()
"""
HOST = {"Host": "alpha.localhost"}


@contextmanager
def serving(settings: Settings, folder: Path, *, workers: int = 1) -> Iterator[str]:
    """Its address, for as long as the block runs; tenants are named by the Host header. A program goes to `folder`."""
    port = free_port()
    (folder / "unlimited.py").write_text(PROGRAM)
    environment = {"VITRINE_DATA_DIR": str(settings.data_dir), "VITRINE_DATABASE_URL": settings.database_url}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
            *("--worker-class", "webapp.threads.Threads"),
            # Without gunicorn's own limits, which are not the API's: it answers 414 and 400 in HTML.
            *("--limit-request-line", "0", "--limit-request-field_size", "0"),
            *("--timeout", "120"),  # A busy machine takes half a minute to import everything.
            *("--workers", str(workers), "--threads", "4", "--pythonpath", f"{Path.cwd()},{folder}", "unlimited:web"),
        ],
        env={**os.environ, **environment, "VITRINE_REDIS_URL": "memory://"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for_port(port)
        url = f"http://127.0.0.1:{port}"
        requests.get(f"{url}/api/v1/openapi.json", headers=HOST, timeout=120).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(20)
