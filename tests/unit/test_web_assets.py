"""The front end's build: found by name, or missed loudly."""

from pathlib import Path

import pytest
from flask import Flask
from visits import visitor

from webapp import assets


def test_a_missing_build_stops_a_server_with_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(assets, "DIST", tmp_path)
    assets._built_at.cache_clear()  # Another test may have looked within this second.
    with pytest.raises(SystemExit, match="npm ci && npm run build"):
        assets.require_build()
    with pytest.raises(RuntimeError, match="npm ci && npm run build"):
        assets.asset_url("site.js")


def test_the_build_is_complete() -> None:
    assets.require_build()
    for name in ("base.css", "site.css", "site.js", "photo.js"):
        assert (assets.DIST / assets.asset_url(name).removeprefix("/static/")).exists()


@pytest.mark.parametrize("name", ["../assets.py", "manifest.json.bak", "%2e%2e/assets.py", "nothing-ABC.js"])
def test_only_built_files_are_served(web: Flask, name: str) -> None:
    assert visitor(web).get(f"/static/{name}").status_code == 404
