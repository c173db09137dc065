"""Fixtures of tests that kill processes."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from conftest import World
from faults.processor_fleet import Fleet, RedisServer
from PIL import Image

import wsgi
from infra.settings import load
from tenants import catalog, outbox
from tenants.db import db
from tenants.names import new_id, original_key
from tenants.scope import open_site

Upload = Callable[..., list[str]]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, populated: tuple[Path, World]) -> Iterator[Fleet]:
    """Relay, bridge and two workers on a database and a Redis of their own; shared by a module's tests."""
    yield from running_fleet(tmp_path_factory.mktemp("fleet"), populated)


def running_fleet(folder: Path, populated: tuple[Path, World]) -> Iterator[Fleet]:
    """What `fleet` is, with what the environment says now."""
    shutil.copyfile(populated[0], folder / "vitrine.db")
    redis = RedisServer(folder)
    settings = load(data_dir=folder, visibility=2, max_receives=20, redis_url=redis.url)
    app = wsgi.core(settings)
    with app.app_context():
        running = Fleet(app, settings, redis, folder / "faults")
        yield running
        running.stop()
        redis.kill()
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def fleet_upload(fleet: Fleet, world: World, photo: Path) -> Iterator[Upload]:
    """Have files (by default a photo) received as an upload does it: original, asset, outbox row. The assets' ids."""

    def received(count: int, path: Path = photo) -> list[str]:
        ids = [new_id() for _ in range(count)]
        digest = sha256(path.read_bytes()).hexdigest()
        with open_site(world.alpha) as site:
            for asset_id in ids:
                key = original_key(world.alpha, asset_id, digest)
                site.blobs.put(key, path, content_type="application/octet-stream")
                album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
                assert album is not None
                catalog.add_asset(
                    site.session,
                    album,
                    asset_id=asset_id,
                    filename=path.name,
                    sha256=digest,
                    size=path.stat().st_size,
                    now=site.now(),
                )
                site.enqueue(outbox.media_job(world.alpha, asset_id))
                site.session.commit()
        return ids

    yield received
    fleet.disarm()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small JPEG with something in it."""
    path = tmp_path_factory.mktemp("photo") / "shore.jpg"
    Image.effect_mandelbrot((480, 320), (-2.2, -1.2, 0.8, 1.2), 60).convert("RGB").save(path, quality=85)
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video, small."""
    path = tmp_path_factory.mktemp("film") / "waves.mp4"
    picture = "testsrc2=size=320x240:rate=10:duration=1"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.fixture(scope="session")
def camera_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG whose EXIF names a camera."""
    path = tmp_path_factory.mktemp("camera") / "camera.jpg"
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Fujifilm", "X100\x1bV"
    Image.effect_mandelbrot((320, 240), (-2.2, -1.2, 0.8, 1.2), 40).convert("RGB").save(path, exif=exif)
    return path
