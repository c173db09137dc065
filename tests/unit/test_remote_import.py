"""`client/import_folder.py` as its users run it: a program in an environment of its own, at fleets that run."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import gallery
import pytest
from api_client import make_token
from conftest import World
from flask import Flask
from sqlalchemy import select
from stack import Stack

from infra.settings import Settings
from infra.sql import reading
from tenants.api_tokens import Scope
from tenants.catalog import Album, Asset, Visibility
from tenants.scope import open_site

ROOT = Path(__file__).parents[2]
PROGRAM = [ROOT / ".tools/bin/uv", "run", "--quiet", "--script", ROOT / "client/import_folder.py"]


@pytest.fixture
def running(settings: Settings, world: World) -> Iterator[Stack]:
    with Stack(settings.data_dir, fleets=("redis", "web", "upload")) as stack:
        yield stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos, one of them twice, and what is none."""
    folder = tmp_path / "Iceland"
    (folder / "day 2").mkdir(parents=True)
    first, second = gallery.sources()[:2]
    shutil.copyfile(first, folder / "first.jpg")
    shutil.copyfile(first, folder / "again.jpg")
    shutil.copyfile(second, folder / "day 2" / "Fjörður.jpg")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("nothing to see")
    (folder / ".hidden.jpg").write_bytes(b"hidden")
    return folder


def run(stack: Stack, token: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, PROGRAM), str(folder), "--to", stack.origin("alpha"), *more],
        env={**stack.inherited, "ALBUM_SITE_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=120,
    )


def stored(web: Flask, world: World, title: str) -> dict[str, str]:
    """Hashes by file name of the albums of that title."""
    with web.app_context(), reading(), open_site(world.alpha) as site:
        albums = site.session.scalars(
            select(Album.id).where(Album.title == title, Album.visibility == Visibility.UNLISTED)
        )
        [album_id] = albums.all()
        rows = site.session.execute(select(Asset.filename, Asset.sha256).where(Asset.album_id == album_id))
        return {row.filename: row.sha256 for row in rows}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_is_sent_through_the_api_and_twice_is_harmless(
    web: Flask, world: World, running: Stack, folder: Path
) -> None:
    token = make_token(web, world.alpha, Scope.ALBUMS_READ, Scope.ALBUMS_WRITE, Scope.UPLOADS_WRITE)
    first = run(running, token, folder, "--visibility", "unlisted")
    assert first.returncode == 1, first.stderr
    assert "2 new, 1 known already" in first.stdout
    assert f"refused: {folder}/empty.jpg: The file is empty." in first.stdout
    assert first.stdout.strip().endswith("/a/iceland") and token not in first.stdout + first.stderr
    photos = {folder / "again.jpg", folder / "day 2" / "Fjörður.jpg"}
    assert stored(web, world, "Iceland") == {path.name: sha256(path) for path in photos}
    (folder / "empty.jpg").unlink()
    second = run(running, token, folder, "--visibility", "unlisted")
    assert second.returncode == 0, second.stderr
    assert "0 new, 3 known already" in second.stdout
    assert len(stored(web, world, "Iceland")) == 2


def test_refusals_are_told_in_the_servers_words(web: Flask, world: World, running: Stack, folder: Path) -> None:
    wrong = run(running, "key_aaaaaaaaaa_" + "a" * 43, folder)
    assert wrong.returncode == 1 and "with a token of this site that has not run out" in wrong.stderr
    reader = run(running, make_token(web, world.alpha, Scope.ALBUMS_READ), folder)
    assert reader.returncode == 1 and "needs a token with the scope “albums:write”" in reader.stderr
    (folder / "empty").mkdir()
    nothing = run(running, "none", folder / "empty")
    assert nothing.returncode == 1 and "There are no photos or videos" in nothing.stderr
