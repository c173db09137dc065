"""Bulk edit of an album with ten thousand photos: milliseconds of each request, on SQLite. `python -m tests.bench.bulk`

Rows only, no files: what is measured is the dashboard's answer. Numbers go to docs/adr/0177-many-files-at-once.md.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import gallery
from conftest import MIGRATIONS, PASSWORD
from dashboard_client import Browser
from flask_migrate import upgrade
from sqlalchemy import insert, select

import wsgi
from infra.settings import load
from tenants import catalog, people, registry, search
from tenants.catalog import Asset
from tenants.db import db
from tenants.people import Role
from tenants.scope import Site, enter, ports

COUNT = int(os.environ.get("COUNT", "10000"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=Path(folder))
        with wsgi.create_app(settings).app_context():
            upgrade(directory=MIGRATIONS)
            albums = _seed()
            db.session.remove()
        alice = Browser(wsgi.make_web(settings))
        alice.sign_in("alice")
        base, other = (f"/dashboard/albums/{each}" for each in albums)
        _timed("the album's first page", lambda: alice.get(base))
        _timed("tag all", lambda: alice.post(f"{base}/assets/tag", {"all": "1", "tags": "summer, sea"}))
        _timed("untag all", lambda: alice.post(f"{base}/assets/tag", {"all": "1", "tags": "sea", "do": "remove"}))
        moved = _timed("move all", lambda: alice.post(f"{base}/assets/move-to", {"all": "1", "album": albums[1]}))
        _timed("move all back", lambda: alice.post(moved.get_json()["undo"]))
        gone = _timed("delete all", lambda: alice.post(f"{base}/assets/delete", {"all": "1"}))
        _timed("undo", lambda: alice.post(gone.get_json()["undo"]))
        _timed("the other album", lambda: alice.get(other))


def _seed() -> tuple[str, str]:
    now = ports().clock.now()
    tenant = registry.create(db.session, "alpha", "Alpha", now=now)
    site = enter(tenant)
    people.add(site.session, tenant.id, "alice@example.com", Role.OWNER, PASSWORD, now=now)
    first, second = (catalog.create_album(site.session, tenant.id, title, now=now) for title in ("Full", "Other"))
    gallery.fill_rows(site, first, COUNT)
    _index(site, first.id)
    found = first.id, second.id
    site.session.commit()
    return found


def _index(site: Site, album_id: str) -> None:
    """Six words each, in one go: as `search.index` writes them, one asset after the other, it takes a minute."""
    assets = site.session.execute(select(Asset.id, Asset.taken_at, Asset.filename)).all()
    rows = [
        {
            "tenant_id": site.tenant_id,
            "album_id": album_id,
            "asset_id": asset.id,
            "taken_at": asset.taken_at,
            "word": word,
        }
        for asset in assets
        for word in search.stored_words("A day by the sea", [], asset.filename, "Leica M11")
    ]
    site.session.execute(insert(search.AssetWord), rows)


def _timed(name, request):  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    answer = request()
    print(f"{name}: {answer.status_code}, {round((time.perf_counter() - began) * 1000)} ms, {len(answer.data)} bytes")
    return answer


if __name__ == "__main__":
    main()
