"""The front end's built files: names with a hash in them, from the manifest that `npm run build` writes."""

import json
import time
from functools import lru_cache
from pathlib import Path

import structlog
from flask import Flask, Response, send_from_directory

log = structlog.get_logger(__name__)

DIST = Path(__file__).parent / "static" / "dist"
MISSING = "The front end is not built. Run `npm ci && npm run build` in the repository, then start again."


class BuildMissing(SystemExit):
    """Ends a server at start; inside a request it becomes an ordinary error."""


def init_app(app: Flask) -> None:
    app.add_url_rule("/static/<path:name>", "static", _static)
    app.add_template_global(asset_url)
    if not (DIST / "manifest.json").exists():
        log.error(MISSING)


def require_build() -> None:
    """For servers, before they listen: without its scripts and styles the site would be a wreck."""
    if not (DIST / "manifest.json").exists():
        raise BuildMissing(MISSING)


def built_at() -> int:
    """When the front end was built: what depends on its names may be kept until this changes. Looked at once a second
    at most."""
    return _built_at(int(time.monotonic()))


@lru_cache(maxsize=1)
def _built_at(_second: int) -> int:
    try:
        return (DIST / "manifest.json").stat().st_mtime_ns
    except FileNotFoundError:
        raise RuntimeError(MISSING) from None


def asset_url(name: str) -> str:
    """The address of a built file, by the name of its source: `asset_url("site.js")`."""
    try:
        return f"/static/{_manifest(built_at())[name]}"
    except KeyError:
        raise RuntimeError(f"{name} is not part of the front end's build. {MISSING}") from None


@lru_cache(maxsize=2)
def _manifest(_modified: int) -> dict[str, str]:
    names: dict[str, str] = json.loads((DIST / "manifest.json").read_text())
    return names


def _static(name: str) -> Response:
    """Every name holds a hash of the content, so a copy never goes stale."""
    response = send_from_directory(DIST, name, max_age=365 * 24 * 3600)
    response.cache_control.public = True
    response.cache_control.immutable = True
    return response
