"""`flask --app wsgi import`, `relay` and `sweep`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import World
from flask import Flask
from sqlalchemy import select
from upload_server import ROOT

import wsgi
from infra.settings import Settings
from tenants.catalog import Asset, AssetState
from tenants.db import db
from tenants.names import original_key
from tenants.scope import open_site
from uploader import folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    source = tmp_path / "pictures"
    (source / "day 2").mkdir(parents=True)
    (source / ".hidden").mkdir()
    for name, data in {
        "img10.jpg": b"ten",
        "img9.jpg": b"nine",
        "day 2/clip.mp4": b"moving",
        "empty.png": b"",
        "notes.txt": b"not a picture",
        ".hidden/x.jpg": b"hidden",
    }.items():
        (source / name).write_bytes(data)
    (source / "link.jpg").symlink_to("/etc/passwd")
    return source


def test_a_folder_is_walked_in_natural_order(pictures: Path) -> None:
    found = [path.relative_to(pictures).as_posix() for path in folder.media_files(pictures)]
    assert found == ["day 2/clip.mp4", "empty.png", "img9.jpg", "img10.jpg"]


def test_importing_twice_is_harmless(settings: Settings, world: World, pictures: Path) -> None:
    app = wsgi.create_app(settings)
    runner = app.test_cli_runner()
    arguments = ["import", "alpha", str(pictures), "--album", "Trip", "--visibility", "public"]
    first = runner.invoke(args=arguments)
    assert first.exit_code == 0, first.output
    assert "3 new, 0 known already" in first.output
    assert "refused: empty.png: The file is empty" in first.output
    assert first.output.strip().endswith("http://alpha.localhost:8000/a/trip")
    second = runner.invoke(args=arguments)
    assert "0 new, 3 known already" in second.output
    assert stored(app, world) == {"clip.mp4": b"moving", "img9.jpg": b"nine", "img10.jpg": b"ten"}
    assert "sent 3" in runner.invoke(args=["relay", "--once"]).output
    assert "nothing to sweep" in runner.invoke(args=["sweep"]).output


def stored(app: Flask, world: World) -> dict[str, bytes]:
    found = {}
    with app.app_context():
        with open_site(world.alpha) as site:
            for asset in site.session.scalars(select(Asset)):
                with site.blobs.open(original_key(world.alpha, asset.id, asset.sha256)) as stream:
                    found[asset.filename] = stream.read()
        db.engine.dispose()
    return found


def test_waiting_ends_when_all_is_processed_and_names_what_was_refused(
    settings: Settings, world: World, pictures: Path
) -> None:
    app = wsgi.create_app(settings)
    runner = app.test_cli_runner()
    runner.invoke(args=["import", "alpha", str(pictures), "--album", "Trip"])
    with app.app_context():
        with open_site(world.alpha) as site:
            for asset in site.session.scalars(select(Asset)):
                asset.state = AssetState.READY
                if asset.filename == "img9.jpg":
                    asset.state, asset.reason = AssetState.REJECTED, "This is not a picture."
            site.session.commit()
        db.engine.dispose()
    again = runner.invoke(args=["import", "alpha", str(pictures), "--album", "Trip", "--wait"])
    assert "refused: img9.jpg: This is not a picture." in again.output
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(("tenant", "source"), [("nobody", "."), ("alpha", "docs/adr")])
def test_mistakes_are_one_line(settings: Settings, world: World, tenant: str, source: str) -> None:
    app = wsgi.create_app(settings)
    result = app.test_cli_runner().invoke(args=["import", tenant, str(ROOT / source)])
    assert result.exit_code == 1 and result.output.startswith("error: ") and result.output.count("\n") == 1
    with app.app_context():
        db.engine.dispose()


def test_relay_ends_cleanly_on_sigterm(settings: Settings, world: World) -> None:
    data_dir, url = str(settings.data_dir), settings.database_url
    environment = {**os.environ, "VITRINE_DATA_DIR": data_dir, "VITRINE_DATABASE_URL": url}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "relay"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not handles_sigterm(process.pid):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None and b"Traceback" not in process.stderr.read()


def handles_sigterm(pid: int) -> bool:
    """Whether the process has installed its handler: proc(5), SigCgt."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
