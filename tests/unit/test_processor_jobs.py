"""A job from claim to end, with the real steps on real files."""

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from conftest import World
from flask import Flask
from PIL import Image

from processor import jobs, lease, limits
from processor.lease import LostLease
from processor.steps import photo
from processor.task import Facts, Made, Rejected, Task
from tenants import catalog
from tenants.catalog import Asset, AssetState, Kind, Rendition
from tenants.names import new_id, original_key, rendition_key, renditions_prefix
from tenants.scope import Site, open_site, ports, settings
from tenants.usage import Meter, UsageEvent

DAY = timedelta(days=1)
Receive = Callable[[bytes], str]
FACTS = Facts(Kind.PHOTO, "image/jpeg", 4, 3, taken_at=datetime(2020, 1, 2, tzinfo=UTC), taken_offset=60)


@pytest.fixture
def received(core: Flask, world: World) -> Receive:
    """Store bytes as alpha's original; the asset's id."""

    def receive(data: bytes) -> str:
        digest, asset_id = sha256(data).hexdigest(), new_id()
        with open_site(world.alpha) as site:
            site.blobs.put(original_key(world.alpha, asset_id, digest), data, content_type="image/jpeg")
            album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
            assert album is not None
            catalog.add_asset(
                site.session,
                album,
                asset_id=asset_id,
                filename="a.jpg",
                sha256=digest,
                size=len(data),
                now=site.now(),
            )
            site.session.commit()
        return asset_id

    return receive


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("jpeg") / "a.jpg"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path.read_bytes()


def run(world: World, asset_id: str, attempt: int = 1) -> None:
    jobs.run(world.alpha, asset_id, "message", attempt)


def asset_of(site: Site, asset_id: str) -> Asset:
    asset = site.session.get(Asset, (site.tenant_id, asset_id))
    assert asset is not None
    return asset


def errors(world: World, **about: str) -> float:
    """How often alpha's jobs went wrong, as the metrics tell it."""
    now = ports().clock.now()
    return ports().metrics.total("job.errors", now - DAY, now + DAY, tenant=world.alpha, **about)


def scratch_is_empty() -> bool:
    return not any(jobs.scratch_root(settings().data_dir).glob("*"))


def replace_photo_steps(monkeypatch: pytest.MonkeyPatch, process: Callable[[Task], None]) -> None:
    monkeypatch.setattr(photo, "process", process)


def test_a_photo_becomes_ready(core: Flask, world: World, received: Receive, jpeg: bytes) -> None:
    asset_id = received(jpeg)
    run(world, asset_id)
    with open_site(world.alpha) as site:
        asset = asset_of(site, asset_id)
        assert (asset.state, asset.kind, asset.progress) == (AssetState.READY, Kind.PHOTO, 100)
        assert (asset.generation, asset.fence, asset.leased_until) == (1, 1, None)
        assert (asset.width, asset.height) == (256, 256)
        assert asset.ready_at is not None
        names = {row.name for row in site.session.query(Rendition)}
        for name in names:
            site.blobs.stat(rendition_key(world.alpha, asset_id, 1, name))
        (event,) = site.session.query(UsageEvent)
        assert (event.id, event.meter, event.quantity) == (f"photo:{asset_id}", Meter.PHOTOS, 1)
    assert names
    assert scratch_is_empty()


def test_running_it_again_changes_nothing(core: Flask, world: World, received: Receive, jpeg: bytes) -> None:
    asset_id = received(jpeg)
    run(world, asset_id)
    run(world, asset_id, attempt=2)
    with open_site(world.alpha) as site:
        assert asset_of(site, asset_id).fence == 1
        assert site.session.query(UsageEvent).count() == 1


@pytest.mark.parametrize("data", [b"only text", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"])
def test_what_is_no_media_is_rejected_with_a_reason(core: Flask, world: World, received: Receive, data: bytes) -> None:
    asset_id = received(data)
    run(world, asset_id)
    with open_site(world.alpha) as site:
        asset = asset_of(site, asset_id)
        assert asset.state is AssetState.REJECTED
        assert asset.reason.endswith(".")
        assert asset.leased_until is None
        assert site.session.query(UsageEvent).count() == 0
    assert scratch_is_empty()
    assert errors(world, kind="pending", cause="rejected") == 1


def test_a_late_rejection_takes_its_renditions_along(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second_thoughts(task: Task) -> None:
        task.put(Made("w4.jpg", task.original, "image/jpeg", 4, 3))
        task.publish(FACTS)
        raise Rejected("The second half is broken.")

    replace_photo_steps(monkeypatch, second_thoughts)
    asset_id = received(jpeg)
    run(world, asset_id)
    with open_site(world.alpha) as site:
        assert asset_of(site, asset_id).reason == "The second half is broken."
        assert errors(world, kind="photo", cause="rejected") == 1
        assert site.session.query(Rendition).count() == 0
        assert list(site.blobs.list(renditions_prefix(world.alpha, asset_id))) == []


def test_facts_reach_the_asset_and_the_media_store(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"camera": "Kodak", "private.gps_lat": "47.5", "software": "ü" * 2000}

    def told(task: Task) -> None:
        task.put(Made("w4.jpg", task.original, "image/jpeg", 4, 3))
        task.publish(Facts(Kind.PHOTO, "image/jpeg", 4, 3, taken_at=FACTS.taken_at, taken_offset=60, media=said))

    replace_photo_steps(monkeypatch, told)
    asset_id = received(jpeg)
    run(world, asset_id)
    with open_site(world.alpha) as site:
        asset = asset_of(site, asset_id)
        assert (asset.taken_at, asset.taken_offset, asset.has_capture_time) == (FACTS.taken_at, 60, True)
        assert site.media.get(asset_id) == {**said, "software": "ü" * 512}


def test_an_unexpected_error_lets_go_and_is_raised(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(task: Task) -> None:
        task.put(Made("w4.jpg", task.original, "image/jpeg", 4, 3))
        raise OSError("disk on fire")

    asset_id = received(jpeg)
    with monkeypatch.context() as patched:
        replace_photo_steps(patched, broken)
        with pytest.raises(OSError, match="disk on fire"):
            run(world, asset_id)
    assert scratch_is_empty()
    assert errors(world, kind="photo", cause="failed") == 1
    run(world, asset_id, attempt=2)  # At once: the lease was released.
    with open_site(world.alpha) as site:
        asset = asset_of(site, asset_id)
        assert (asset.state, asset.generation) == (AssetState.READY, 2)


def test_a_job_that_is_told_to_end_lets_go_and_has_not_erred(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(task: Task) -> None:
        task.put(Made("w4.jpg", task.original, "image/jpeg", 4, 3))
        os.kill(os.getpid(), signal.SIGTERM)

    replace_photo_steps(monkeypatch, told)
    asset_id = received(jpeg)
    before = signal.signal(signal.SIGTERM, jobs.let_go)
    try:
        with pytest.raises(jobs.LetGo):
            run(world, asset_id)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert scratch_is_empty()
    assert errors(world) == 0
    with open_site(world.alpha) as site:
        assert lease.claim(site, asset_id, 5) is not None


def test_steps_that_end_unpublished_are_an_error(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(task: Task) -> None:
        task.publish(FACTS)
        task.put(Made("w4.jpg", task.original, "image/jpeg", 4, 3))

    replace_photo_steps(monkeypatch, forgetful)
    with pytest.raises(RuntimeError, match="unpublished"):
        run(world, received(jpeg))


def test_work_that_was_taken_over_stops_quietly(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(task: Task) -> None:
        with core.app_context(), open_site(world.alpha) as other:
            asset = asset_of(other, task.asset_id)
            asset.fence, asset.leased_until = 2, None
            other.session.commit()
        with pytest.raises(LostLease):
            task.progress(50, "late")
        task.publish(FACTS)

    replace_photo_steps(monkeypatch, overtaken)
    asset_id = received(jpeg)
    run(world, asset_id)
    with open_site(world.alpha) as site:
        asset = asset_of(site, asset_id)
        assert (asset.state, asset.generation, asset.width) == (AssetState.PROCESSING, 0, None)
        assert lease.claim(site, asset_id, 60) is not None


def test_progress_is_written_once_a_second_at_most(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    monkeypatch.setattr(jobs.commit, "progress", lambda site, held, percent, stage: written.append(percent))

    def chatty(task: Task) -> None:
        for percent in range(90):
            task.progress(percent, "talking")
        task.put(Made("w4.jpg", task.original, "image/jpeg", 4, 3))
        task.publish(FACTS)

    replace_photo_steps(monkeypatch, chatty)
    run(world, received(jpeg))
    assert written == [0]


def test_a_job_that_takes_too_long_is_stopped(
    core: Flask, world: World, received: Receive, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(task: Task) -> None:
        while True:
            pass

    replace_photo_steps(monkeypatch, endless)
    short = limits.Limits(seconds=1, cpu_seconds=60, memory=4 << 30, file_size=1 << 30)
    monkeypatch.setattr(limits, "of_kind", lambda kind, settings: short)
    with pytest.raises(limits.TimeLimit):
        run(world, received(jpeg))


@pytest.mark.parametrize("tenant", ["", "../../etc", "1"])
def test_ids_are_checked(core: Flask, tenant: str) -> None:
    with pytest.raises(ValueError, match="ids"):
        jobs.run(tenant, new_id(), "message", 1)
