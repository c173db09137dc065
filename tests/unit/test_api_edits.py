"""Programs that edit the same things at the same moment, at the web fleet as it runs: two processes of four threads.

Each reads, adds a word to what it has read, and sends that with the version it has read. Whoever is told 412 begins
again. In the end every word of everybody is there.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import gallery
import pytest
import requests
from api_client import make_token
from api_server import HOST, serving
from conftest import World
from flask import Flask

from infra.settings import Settings
from tenants import webhooks
from tenants.catalog import album_by_id
from tenants.scope import open_site
from tenants.webhooks import Event

pytestmark = pytest.mark.every_database

WRITERS, ROUNDS = 6, 2
Thing = tuple[str, str]
"""Its path, and the member that all write to."""


@pytest.fixture
def things(web: Flask, world: World) -> list[Thing]:
    """One of each kind that can be changed."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        asset = gallery.add_photo(site, album, gallery.shot(gallery.sources()[0]))
        hook, _ = webhooks.create(site, "https://example.com/", tuple(Event))
        found = [
            (f"/albums/{album.id}", "description"),
            (f"/assets/{asset.id}", "caption"),
            (f"/webhooks/{hook.id}", "label"),
        ]
        site.session.commit()
        return found


def add_word(program: requests.Session, address: str, member: str, word: str) -> Counter[int]:
    """Read, add, send, until it is taken; the statuses of the answers."""
    told: Counter[int] = Counter()
    while not told[200]:
        read = program.get(address, timeout=60)
        assert read.status_code == 200, read.text
        words = f"{read.json()[member]} {word}".strip()
        sent = program.patch(address, json={member: words}, headers={"If-Match": read.headers["ETag"]}, timeout=60)
        told[sent.status_code] += 1
        assert sent.status_code in (200, 412), sent.text
    return told


def test_what_many_write_at_once_is_all_there(
    web: Flask, world: World, settings: Settings, things: list[Thing], tmp_path: Path
) -> None:
    token, start = make_token(web, world.alpha), Barrier(WRITERS)
    headers = {**HOST, "Authorization": f"Bearer {token}"}
    with serving(settings, tmp_path, workers=2) as url:

        def write(number: int) -> Counter[int]:
            told: Counter[int] = Counter()
            with requests.Session() as program:
                program.headers.update(headers)
                start.wait(30)
                for each in range(ROUNDS):
                    for path, member in things:
                        told += add_word(program, f"{url}/api/v1{path}", member, f"w{number}{each}")
            return told

        with ThreadPoolExecutor(WRITERS) as writers:
            told = sum(writers.map(write, range(WRITERS)), Counter[int]())
        wanted = sorted(f"w{number}{each}" for number in range(WRITERS) for each in range(ROUNDS))
        for path, member in things:
            found = requests.get(f"{url}/api/v1{path}", headers=headers, timeout=60).json()[member]
            assert sorted(found.split()) == wanted, path
    assert told[200] == len(wanted) * len(things)
    assert told[412] > 0, "nobody met anybody: that proves nothing"
