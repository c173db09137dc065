"""What SQLite's single writer keeps apart must be kept apart on PostgreSQL too."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from conftest import World
from flask import Flask
from sqlalchemy.exc import IntegrityError

from infra.errors import ConditionFailed
from infra.sql import problem_of
from tenants import catalog
from tenants.db import db
from tenants.names import new_id
from tenants.outbox import media_job
from tenants.scope import Site, open_site, ports
from uploader.relay import relay_once

pytestmark = pytest.mark.postgres


@pytest.fixture
def database() -> str:
    return "postgres"


def arrive(site: Site, album_id: str) -> catalog.Asset:
    album = catalog.album_by_id(site.session, site.tenant_id, album_id)
    assert album is not None
    return catalog.add_asset(
        site.session, album, asset_id=new_id(), filename="a.jpg", sha256="a" * 64, size=1, now=site.now()
    )


def test_two_arrivals_get_two_places_and_know_of_each_other(core: Flask, world: World) -> None:
    begun = threading.Event()

    def second() -> tuple[int, str | None]:
        with core.app_context(), open_site(world.alpha) as site:
            begun.set()
            asset = arrive(site, world.alpha_album)
            found = asset.position, asset.duplicate_of
            site.session.commit()
            return found

    with ThreadPoolExecutor() as threads, open_site(world.alpha) as site:
        first = arrive(site, world.alpha_album)
        position, asset_id = first.position, first.id
        later = threads.submit(second)
        begun.wait()
        with pytest.raises(TimeoutError):
            later.result(0.5)
        site.session.commit()
        assert later.result(10) == (position + catalog.POSITION_STEP, asset_id)


def test_of_two_with_the_same_name_one_is_told_to_look_again(core: Flask, world: World) -> None:
    def second() -> None:
        with core.app_context(), open_site(world.alpha) as site:
            catalog.create_album(site.session, world.alpha, "Summer", now=site.now())

    with ThreadPoolExecutor() as threads, open_site(world.alpha) as site:
        catalog.create_album(site.session, world.alpha, "Summer", now=site.now())
        later: Future[None] = threads.submit(second)
        with pytest.raises(TimeoutError):
            later.result(0.5)
        site.session.commit()
        with pytest.raises(IntegrityError) as caught:
            later.result(10)
    problem = problem_of(caught.value)
    assert problem is not None and problem.code == "conflict"


def test_of_conditional_puts_at_once_one_wins(core: Flask) -> None:
    media, ready = ports().media, threading.Barrier(4)

    def put(number: int) -> bool:
        ready.wait()
        try:
            media.put("t/a", {"owner": str(number), f"n{number}": ""}, expect=("owner", None))
        except ConditionFailed:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(lambda number: media.put(f"t/{number}", {"v": ""}), range(4))
        )  # Four connections are open now.
        won = [number for number, first in enumerate(threads.map(put, range(4))) if first]
    assert len(won) == 1
    assert media.get("t/a") == {"owner": str(won[0]), f"n{won[0]}": ""}


def test_relays_of_two_hosts_send_each_message_once(core: Flask, world: World) -> None:
    with open_site(world.alpha) as site:
        for number in range(150):
            site.enqueue(media_job(world.alpha, str(number)))
        site.session.commit()
    ready = threading.Barrier(2)

    def relay() -> int:
        with core.app_context():
            ready.wait()
            sent = 0
            while count := relay_once():
                sent += count
            db.session.remove()
            return sent

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(relay), threads.submit(relay)
        shares = first.result(60), second.result(60)
    assert sum(shares) == 150 and all(shares)
    assert ports().queue.depth().waiting == 150
