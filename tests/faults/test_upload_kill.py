"""`kill -9` of the upload server while unmodified clients upload: they resume, and the stored bytes are the source's.

`VITRINE_FAULT_BYTES` is the size of the file (128 MiB).
"""

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import World
from sqlalchemy import func, select
from upload_server import ROOT, Server, ticket

import wsgi
from infra.settings import Settings
from tenants.catalog import Asset
from tenants.db import db
from tenants.names import original_key
from tenants.outbox import Outbox
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent
from uploader.session import Upload, UploadState

SIZE = int(os.environ.get("VITRINE_FAULT_BYTES", 128 * 1024 * 1024))
KILLS = 5

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def source(tmp_path: Path) -> tuple[Path, str]:
    """A file of random bytes and its SHA-256."""
    path, digest = tmp_path / "source.mp4", hashlib.sha256()
    with path.open("wb") as file:
        left = SIZE
        while left:
            piece = os.urandom(min(left, 1 << 20))
            file.write(piece)
            digest.update(piece)
            left -= len(piece)
    return path, digest.hexdigest()


@contextlib.contextmanager
def killing(server: Server, intake: Path, kills: int) -> Iterator[list[int]]:
    """Kill and restart the server whenever the stored bytes pass one of `kills` random marks."""
    marks = sorted(random.randrange(SIZE // 50, SIZE * 17 // 20) for _ in range(kills))
    killed: list[int] = []
    over = threading.Event()

    def stored() -> int:
        with contextlib.suppress(FileNotFoundError):
            return sum(path.stat().st_size for path in intake.rglob("*") if path.is_file())
        return 0

    def kill() -> None:
        for mark in marks:
            while stored() < mark:
                if over.wait(0.002):
                    return
            server.kill()
            killed.append(stored())
            server.start()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


def with_tuspy(file: Path, endpoint: str, token: str) -> None:
    script = Path(__file__).parent / "tuspy_client.py"
    subprocess.run([sys.executable, str(script), str(file), endpoint, token, str(SIZE // 3)], check=True, timeout=850)


def with_tus_js_client(file: Path, endpoint: str, token: str) -> None:
    bench = ROOT / "tests/bench"
    if not (bench / "node_modules/tus-js-client").exists():
        subprocess.run(["npm", "ci"], cwd=bench, check=True, timeout=300)
    command = ["node", "tus_js_client.mjs", str(file), endpoint, token]
    subprocess.run(command, cwd=bench, check=True, timeout=850)


@pytest.mark.parametrize("upload", [with_tuspy, with_tus_js_client])
def test_clients_survive_five_kills(
    upload: Callable[[Path, str, str], None], source: tuple[Path, str], settings: Settings, world: World
) -> None:
    file, sha256 = source
    token = ticket(settings.secret_key.get_secret_value(), world.alpha, world.alpha_album)
    with Server(settings.data_dir) as server:
        # Uploading starts with a POST, which these clients do not repeat: the server is up by then.
        with killing(server, settings.data_dir / "blobs/intake", KILLS) as killed:
            upload(file, server.url, token)
        assert len(killed) == KILLS, killed
        server.stop()
    stored_once(settings, world, sha256)


def stored_once(settings: Settings, world: World, sha256: str) -> None:
    """One asset with those bytes, one message, each usage counted once, and no bytes left in the intake."""
    app = wsgi.create_app(settings)
    app.test_cli_runner().invoke(args=["sweep"])
    with app.app_context():
        with open_site(world.alpha) as site:
            asset = site.session.scalars(select(Asset)).one()
            assert (asset.sha256, asset.size) == (sha256, SIZE)
            with site.blobs.open(original_key(world.alpha, asset.id, sha256)) as stream:
                assert hashlib.file_digest(stream, "sha256").hexdigest() == sha256
            assert site.session.scalar(select(func.count()).select_from(Outbox)) == 1
            events = [(event.meter, event.quantity) for event in site.session.scalars(select(UsageEvent))]
            assert sorted(events, key=str) == sorted([(Meter.UPLOADED, SIZE), (Meter.STORED, SIZE)], key=str)
            assert site.session.scalars(select(Upload)).one().state is UploadState.FINISHED
            assert list(site.intake.leftovers(f"t/{world.alpha}/in/")) == []
        db.engine.dispose()
