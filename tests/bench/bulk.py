"""Bulk edit of an album with ten thousand photos: milliseconds of each request, on SQLite, then on PostgreSQL.
`python -m tests.bench.bulk`

Rows only, no files: what is measured is the dashboard's answer, of each deed `ROUNDS` (5) times. Told are the fastest,
the median and the slowest. Numbers go to docs/adr/0177-many-files-at-once.md.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import gallery
import postgres
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

COUNT, ROUNDS = int(os.environ.get("COUNT", "10000")), int(os.environ.get("ROUNDS", "5"))


def main() -> None:
    print(f"{COUNT} assets, {ROUNDS} rounds; milliseconds: fastest, median, slowest")
    measure("SQLite", {})
    with postgres.running() as server:
        measure("PostgreSQL", server.urls("vitrine"))


def measure(kind: str, urls: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=Path(folder), **urls)
        with wsgi.create_app(settings).app_context():
            upgrade(directory=MIGRATIONS)
            albums = _seed()
            db.session.remove()
        web = wsgi.make_web(settings)
        alice = Browser(web)
        alice.sign_in("alice")
        clocks: dict[str, list[float]] = {}
        for number in range(ROUNDS):
            _round(alice, albums, clocks, number)
        with web.app_context():
            db.engine.dispose()
    for deed, seconds in clocks.items():
        told = (min(seconds), median(seconds), max(seconds))
        print(f"{kind}: {deed}: {', '.join(f'{each * 1000:.0f}' for each in told)}")


def _round(alice: Browser, albums: tuple[str, str], clocks: dict[str, list[float]], number: int) -> None:
    base, other = (f"/dashboard/albums/{each}" for each in albums)

    def timed(deed: str, path: str, form: dict[str, str] | None = None) -> Any:
        began = time.perf_counter()
        answer = alice.get(path) if form is None else alice.post(path, form)
        clocks.setdefault(deed, []).append(time.perf_counter() - began)
        assert answer.status_code == 200, f"{deed}: {answer.status_code} {answer.text[:500]}"
        return answer

    every = {"all": "1"}
    timed("the album's first page", base)
    timed("tag all with one", f"{base}/assets/tag", {**every, "tags": f"sun{number}"})
    timed("tag all with two", f"{base}/assets/tag", {**every, "tags": f"summer{number}, sea{number}"})
    timed("remove a tag from all", f"{base}/assets/tag", {**every, "tags": f"sea{number}", "do": "remove"})
    moved = timed("move all", f"{base}/assets/move-to", {**every, "album": albums[1]})
    timed("the other album's first page", other)
    timed("move all back", moved.get_json()["undo"], {})
    gone = timed("delete all", f"{base}/assets/delete", every)
    timed("undo", gone.get_json()["undo"], {})


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
    """Eleven words each, in one go: as `search.index` writes them, one asset after the other, it takes a minute."""
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


if __name__ == "__main__":
    main()
