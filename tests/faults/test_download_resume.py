"""An archive of 2 GiB, whose download dies half-way and is resumed: gunicorn, curl and unzip as they are."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from conftest import World
from stack import Stack, eventually

import wsgi
from tenants import catalog
from tenants.blanks import Blanks
from tenants.catalog import AssetState, Kind, album_by_id
from tenants.db import db
from tenants.names import new_id, original_key
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

GIB = 1 << 30
FILES = {"Film – 1.mov": GIB, "film – 1.MOV": GIB - 5, "photo.jpg": 1000}
ROOM = 24 * 1024 * 1024
"""What a worker may grow by: some chunks of 256 KiB, and what the allocator keeps. A hundredth of the archive."""


def fill(stack: Stack, world: World) -> None:
    """Originals that are holes, so that they take no room; nobody has computed their CRC-32s."""
    app = wsgi.core(stack.settings)
    with app.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        album.originals = True
        for number, (name, size) in enumerate(FILES.items()):
            asset_id, sha256 = new_id(), f"{number:064x}"
            path = stack.data_dir / "blobs/objects" / original_key(world.alpha, asset_id, sha256)
            path.parent.mkdir(parents=True)
            with path.open("wb") as file:
                file.truncate(size)
            asset = catalog.add_asset(
                site.session, album, asset_id=asset_id, filename=name, sha256=sha256, size=size, now=site.now()
            )
            asset.kind, asset.state, asset.generation = Kind.VIDEO, AssetState.READY, 1
            asset.blanks = Blanks().stored()
        site.session.commit()
        db.session.remove()
        db.engine.dispose()


@contextmanager
def curl(address: str, host: str, *more: str) -> Iterator["subprocess.Popen[str]"]:
    command = ["curl", "-sS", "-H", f"Host: {host}", "-w", "%{http_code}", *more, address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def peak(stack: Stack) -> int:
    """Bytes: the largest resident set that any process of the web fleet has had."""
    fleet = psutil.Process(stack.pid("web"))
    lines = [Path(f"/proc/{one.pid}/status").read_text() for one in (fleet, *fleet.children(recursive=True))]
    return max(int(text.partition("VmHWM:")[2].split()[0]) * 1024 for text in lines)


def test_two_gigabytes_resumed_half_way(populated: tuple[Path, World], tmp_path: Path) -> None:
    world = populated[1]
    shutil.copyfile(populated[0], tmp_path / "vitrine.db")
    got = tmp_path / "album.zip"
    with Stack(tmp_path, fleets=("redis", "web")) as stack:
        fill(stack, world)
        host, address = "alpha.localhost", f"http://127.0.0.1:{stack.web_port}/a/alpha-shows/zip?size=original"
        with curl(address, host, "-r", "0-99", "-o", str(tmp_path / "warm")) as warm:
            assert warm.communicate()[0] == "206"
        before = peak(stack)
        with curl(address, host, "--limit-rate", "400M", "-o", str(got)):
            eventually(lambda: got.exists() and got.stat().st_size > GIB, every=0.05)
        had = got.stat().st_size
        assert had < 2 * GIB - 100 * 1024 * 1024
        with curl(address, host, "-C", "-", "-o", str(got)) as resumed:
            assert resumed.communicate()[0] == "206"
        assert peak(stack) - before < ROOM
        assert got.stat().st_size > sum(FILES.values())
        app = wsgi.core(stack.settings)
        with app.app_context(), open_site(world.alpha) as site:
            events = site.session.query(UsageEvent).where(UsageEvent.meter == Meter.DELIVERED).all()
            assert sum(event.quantity for event in events) >= got.stat().st_size
            db.session.remove()
            db.engine.dispose()
    told = subprocess.run(["unzip", "-t", got], capture_output=True, text=True, check=False)
    got.unlink()
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.count(" OK") == len(FILES)
    assert "film – 1 (2).MOV" in told.stdout
