"""Outbox to queue, and what the sweep tidies."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from conftest import ManualClock, World
from flask import Flask
from sqlalchemy import func, select

from infra import wiring
from infra.settings import Settings
from tenants import catalog, outbox
from tenants.catalog import Asset
from tenants.db import across_tenants, db
from tenants.names import intake_key, new_id
from tenants.outbox import Outbox
from tenants.scope import Site, open_site, ports
from tenants.tickets import Ticket
from uploader import locks, relay, session, sweep
from uploader.append import append, fence
from uploader.protocol import Creation
from uploader.rawbody import StreamBody
from uploader.session import Upload, UploadState


@pytest.fixture
def site(core: Flask, world: World, settings: Settings) -> Iterator[Site]:
    """Alpha's Site, with a clock that a test can move from now on."""
    clock = ManualClock()
    clock.time = ports().clock.now()
    core.extensions["vitrine.ports"] = wiring.build(settings, db.engine, clock=clock)
    with open_site(world.alpha) as site:
        yield site


def later(**span: float) -> None:
    clock = ports().clock
    assert isinstance(clock, ManualClock)
    clock.time += timedelta(**span)


def begin(site: Site, world: World, length: int, name: str = "a.jpg") -> tuple[str, locks.Lease]:
    ticket = Ticket(site.tenant_id, world.alpha_album, 1 << 30, ("*/*",), expires=1 << 40)
    upload = session.create(site, ticket, Creation(filename=name, length=length))
    lease = locks.acquire(site, upload)
    upload_id = upload.id
    site.session.commit()
    return upload_id, lease


class Bytes:
    """A stream of given pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def read(self, _size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def send(site: Site, lease: locks.Lease, data: bytes) -> None:
    append(site, lease, StreamBody(Bytes(data), len(data)))


def state_of(site: Site, upload_id: str) -> UploadState | None:
    found = site.session.scalar(select(Upload.state).where(Upload.id == upload_id))
    site.session.rollback()
    return found


def test_relay_sends_in_order_and_removes(site: Site, world: World) -> None:
    for number in range(3):
        site.enqueue({"kind": "test", "number": number})
    site.session.commit()
    assert relay.relay_once() == 3
    assert relay.relay_once() == 0
    received = ports().queue.receive(10, visibility=timedelta(seconds=5))
    assert [message.body["number"] for message in received] == [0, 1, 2]
    assert {message.group for message in received} == {world.alpha}


def test_relay_keeps_what_it_could_not_send(site: Site, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        site.enqueue({"kind": "test", "number": number})
    site.session.commit()
    queue = ports().queue
    send = queue.send

    def send_first_only(body: dict[str, int], *, group: str, ahead: int) -> str:
        if body["number"] == 1:
            raise ConnectionError("the queue is away")
        return send(body, group=group, ahead=ahead)

    monkeypatch.setattr(queue, "send", send_first_only)
    with pytest.raises(ConnectionError):
        relay.relay_once()
    db.session.rollback()
    monkeypatch.undo()
    assert relay.relay_once() == 1
    assert queue.depth().waiting == 2


def test_relay_ends_when_told(site: Site, world: World) -> None:
    site.enqueue({"kind": "test"})
    site.session.commit()
    stop = threading.Event()
    stop.set()
    relay.run(stop)
    assert ports().queue.depth().waiting == 0


def test_sweep_expires_idle_uploads_and_later_their_tombstones(site: Site, world: World) -> None:
    idle, lease = begin(site, world, 10)
    send(site, lease, b"12345")
    assert sweep.sweep_tenant(site) == {}
    later(days=2)
    assert sweep.sweep_tenant(site) == {"expired": 1}
    assert state_of(site, idle) is UploadState.GONE
    assert site.intake.size(intake_key(world.alpha, idle)) == 0
    later(days=8)
    sweep.sweep_tenant(site)
    assert state_of(site, idle) is None


def test_sweep_leaves_running_uploads_alone(site: Site, world: World) -> None:
    running, lease = begin(site, world, 10)
    later(days=2)
    with across_tenants(db.session(), "test") as everyone:
        locks.record(everyone, [(lease, 0)], ports().clock.now())
    with open_site(world.alpha) as again:
        assert sweep.sweep_tenant(again) == {}
        assert state_of(again, running) is UploadState.RECEIVING
        locks.release(again, lease)


def test_sweep_finishes_what_a_killed_server_left(site: Site, world: World) -> None:
    """The bytes and the offset were committed, then the process was gone."""
    upload_id, lease = begin(site, world, 5)
    writer = site.intake.writer(lease.key, 0)
    writer.write(memoryview(b"12345"))
    writer.commit()
    writer.close()
    upload = locks.held(site, lease)
    upload.offset, upload.state = 5, UploadState.RECEIVED
    site.session.commit()
    locks.forget(lease)
    assert sweep.sweep_tenant(site) == {"finished": 1}
    assert sweep.sweep_tenant(site) == {}
    assert state_of(site, upload_id) is UploadState.FINISHED
    assert site.session.scalar(select(func.count()).select_from(Asset)) == 1
    assert site.session.scalar(select(func.count()).select_from(Outbox)) == 1


def test_finishing_again_after_a_crash_between_seal_and_commit(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id, lease = begin(site, world, 5)
    monkeypatch.setattr(outbox, "media_job", lambda *_: (_ for _ in ()).throw(RuntimeError("killed here")))
    with pytest.raises(RuntimeError):
        send(site, lease, b"12345")
    monkeypatch.undo()
    assert state_of(site, upload_id) is UploadState.RECEIVED
    assert site.session.scalar(select(func.count()).select_from(Asset)) == 0
    site.session.rollback()
    assert sweep.sweep_tenant(site) == {"finished": 1}
    assert [blob.size for blob in site.blobs.list(f"t/{world.alpha}/o/")] == [5]


def test_sweep_discards_bytes_that_nobody_knows(site: Site, world: World) -> None:
    key = intake_key(world.alpha, new_id())
    writer = site.intake.writer(key, 0)
    writer.write(memoryview(b"lost"))
    writer.commit()
    writer.close()
    assert sweep.sweep_tenant(site) == {}
    later(hours=7)
    assert sweep.sweep_tenant(site) == {"orphans": 1}
    assert site.intake.size(key) == 0


def test_an_album_that_goes_away_takes_the_upload_with_it(site: Site, world: World) -> None:
    from infra.errors import Problem

    upload_id, lease = begin(site, world, 5)
    album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
    assert album is not None
    album.deleted_at = site.now()
    site.session.commit()
    with pytest.raises(Problem, match="gone"):
        send(site, lease, b"12345")
    assert state_of(site, upload_id) is UploadState.GONE
    assert list(site.blobs.list(f"t/{world.alpha}/o/")) == []
    assert list(site.intake.leftovers(f"t/{world.alpha}/in/")) == []


def test_a_taken_lease_shuts_its_former_holder_out(site: Site, world: World) -> None:
    from infra.errors import Problem

    upload_id, first = begin(site, world, 10)
    writer = site.intake.writer(first.key, 0)
    writer.write(memoryview(b"aaaa"))
    writer.commit()
    locks.record(site.session, [(first, 4)], site.now())

    def take() -> locks.Lease:
        upload = site.session.get(Upload, (world.alpha, upload_id), populate_existing=True)
        assert upload is not None
        lease = locks.acquire(site, upload)
        site.session.commit()
        return lease

    with pytest.raises(Problem, match="locked"):
        take()
    site.session.rollback()
    later(seconds=60)
    second = fence(site, take())
    writer.write(memoryview(b"zzzz"))  # The former holder still has its file.
    writer.close()
    assert second.key != first.key and second.offset == 4
    assert locks.record(site.session, [(first, 8)], site.now()) == [first]
    send(site, second, b"bbbbbb")
    asset = site.session.scalars(select(Asset)).one()
    with site.blobs.open(f"t/{world.alpha}/o/{asset.id}/{asset.sha256}") as stream:
        assert stream.read() == b"aaaabbbbbb"
