"""Smaller pictures while a tenant's own budget is reached: what is left out, for whom, and that it is made whole."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from conftest import World
from flask import Flask
from PIL import Image
from sqlalchemy import delete, select, update
from video_clips import clip

from billing import estimates
from processor import jobs, reconcile
from processor.steps.video_ladder import leaner, rungs
from processor.task import Rejected, Task
from tenants import catalog, healing, lean
from tenants.catalog import Album, Asset, AssetState, Rendition
from tenants.names import new_id, original_key, rendition_key
from tenants.outbox import Outbox
from tenants.registry import OnBudget, Tenant
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent

pytestmark = pytest.mark.every_database
Receive = Callable[..., str]
WHOLE = {f"w{width}.{form}" for width in (320, 640, 1280, 1500) for form in ("jpg", "avif")}
LEAN = {name for name in WHOLE if "1500" not in name}


@pytest.fixture
def receive(core: Flask, world: World) -> Receive:
    """A photo of alpha's, or what `content` is, processed; its id."""

    def process(width: int = 1500, content: bytes = b"") -> str:
        if not content:
            out = BytesIO()
            Image.linear_gradient("L").convert("RGB").resize((width, 60)).save(out, "JPEG")
            content = out.getvalue()
        digest, asset_id = sha256(content).hexdigest(), new_id()
        with open_site(world.alpha) as site:
            site.blobs.put(original_key(world.alpha, asset_id, digest), content, content_type="image/jpeg")
            album = site.session.get_one(Album, (world.alpha, world.alpha_album))
            about = {"asset_id": asset_id, "filename": "a", "sha256": digest, "size": 1, "now": site.now()}
            catalog.add_asset(site.session, album, **about)  # type: ignore[arg-type]
            site.session.commit()
        jobs.run(world.alpha, asset_id, "message", 1)
        return asset_id

    return process


def budget(world: World, asked: OnBudget | None, *, months: int = 0) -> None:
    """As `billing.budgets.weigh` writes it; of this month, or of one so many months ago."""
    with open_site(world.alpha) as site:
        month = f"{site.now() - months * timedelta(days=31):%Y-%m}"
        site.session.execute(
            update(Tenant).where(Tenant.id == world.alpha).values(over_budget=asked, over_budget_month=month)
        )
        site.session.commit()


def shown(world: World, asset_id: str) -> tuple[int, bool, set[str]]:
    """The generation that pages show, whether it is marked as lean, and its renditions, which are all there."""
    with open_site(world.alpha) as site:
        asset = site.session.get_one(Asset, (world.alpha, asset_id))
        assert asset.state is AssetState.READY
        its = select(Rendition.name).where(Rendition.asset_id == asset_id, Rendition.generation == asset.generation)
        names = set(site.session.scalars(its))
        for name in names:
            site.blobs.stat(rendition_key(world.alpha, asset_id, asset.generation, name))
        return asset.generation, asset.lean, names


def catch_up(world: World) -> list[str]:
    """One pass; the ids of the assets that are to be made again, whose messages wait no more."""
    with open_site(world.alpha) as site:
        lean.catch_up(site)
        found = [body["asset"] for body in site.session.scalars(select(Outbox.body)) if body.get("why") == "whole"]
        site.session.execute(delete(Outbox))
        site.session.commit()
        return found


def later(world: World) -> None:
    """The pause after which an asset may be asked for again is over."""
    with open_site(world.alpha) as site:
        site.session.execute(update(Asset).values(rebuild_asked_at=None))
        site.session.commit()


def test_a_photo_gets_no_large_size_until_the_budget_is_raised(world: World, receive: Receive) -> None:
    budget(world, OnBudget.LEAN)
    asset_id = receive()
    assert shown(world, asset_id) == (1, True, LEAN)
    assert catch_up(world) == []
    budget(world, None)
    assert catch_up(world) == [asset_id]
    assert catch_up(world) == [], "it is under way"
    jobs.run(world.alpha, asset_id, "message", 1)
    assert shown(world, asset_id) == (2, False, WHOLE)
    assert catch_up(world) == []


def test_the_end_of_the_month_makes_it_whole_and_a_stop_does_not(world: World, receive: Receive) -> None:
    budget(world, OnBudget.LEAN)
    asset_id = receive()
    budget(world, OnBudget.STOP)
    assert catch_up(world) == [], "that would cost what the budget has not"
    budget(world, OnBudget.LEAN, months=1)
    assert catch_up(world) == [asset_id]


@pytest.mark.parametrize("asked", [None, OnBudget.TELL, OnBudget.STOP])
def test_only_a_budget_that_says_so_leaves_sizes_out(world: World, receive: Receive, asked: OnBudget | None) -> None:
    budget(world, asked)
    assert shown(world, receive())[1:] == (False, WHOLE)


def test_a_photo_that_has_no_large_size_is_whole(world: World, receive: Receive) -> None:
    budget(world, OnBudget.LEAN)
    assert shown(world, receive(width=1000))[1] is False


def test_what_is_whole_stays_whole_when_it_is_made_again(world: World, receive: Receive) -> None:
    asset_id, other = receive(), ""
    budget(world, OnBudget.LEAN)
    other = receive()
    with open_site(world.alpha) as site:
        assert len(healing.again(site, Asset.id.in_((asset_id, other)), why="turn")) == 2
        site.session.commit()
    for each in (asset_id, other):
        jobs.run(world.alpha, each, "message", 1)
    assert shown(world, asset_id) == (2, False, WHOLE)
    assert shown(world, other) == (2, True, LEAN)


def test_a_tenant_has_so_many_under_way_at_once(
    world: World, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "AT_ONCE", 2)
    budget(world, OnBudget.LEAN)
    made = {receive() for _ in range(3)}
    budget(world, None)
    first = catch_up(world)
    assert len(first) == 2
    assert catch_up(world) == []
    for asset_id in first:
        jobs.run(world.alpha, asset_id, "message", 1)
    assert set(first) | set(catch_up(world)) == made


def test_what_cannot_be_made_again_is_tried_once(
    world: World, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget(world, OnBudget.LEAN)
    asset_id = receive()
    budget(world, None)
    assert catch_up(world) == [asset_id]

    def refuse(_task: Task) -> None:
        raise Rejected("It is damaged.")

    monkeypatch.setattr("processor.steps.photo.process", refuse)
    jobs.run(world.alpha, asset_id, "message", 1)
    later(world)
    assert catch_up(world) == []
    assert shown(world, asset_id)[2] == LEAN


def test_reconcile_does_it_for_every_tenant(world: World, receive: Receive) -> None:
    budget(world, OnBudget.LEAN)
    receive()
    budget(world, None)
    assert reconcile.run().made_whole == 1


def test_a_video_is_billed_for_what_is_encoded_and_for_no_rung_twice(
    world: World, receive: Receive, tmp_path: Path
) -> None:
    """Three rungs in all, of which two are lean: two seconds' worth at first, and one more when it is whole."""
    budget(world, OnBudget.LEAN)
    film = clip(tmp_path / "a.mp4", size="826x620", seconds=1, rate="10", sound=False)
    asset_id = receive(content=film.read_bytes())
    _, is_lean, names = shown(world, asset_id)
    assert is_lean and {"hls/v240.m3u8", "hls/v360.m3u8", "video.mp4"} <= names and "hls/v620.m3u8" not in names
    assert _encoded(world) == [2]
    budget(world, None)
    catch_up(world)
    jobs.run(world.alpha, asset_id, "message", 1)
    assert "hls/v620.m3u8" in shown(world, asset_id)[2] and not shown(world, asset_id)[1]
    assert _encoded(world) == [1, 2]


def _encoded(world: World) -> list[int]:
    with open_site(world.alpha) as site:
        told = select(UsageEvent.quantity).where(UsageEvent.meter == Meter.VIDEO_OUT)
        return sorted(round(seconds) for seconds in site.session.scalars(told))


def test_the_price_before_one_acts_knows_the_ladders() -> None:
    whole = rungs(1920, 1080, 30)  # type: ignore[arg-type]
    assert (len(whole), len(leaner(whole))) == (estimates.RUNGS, estimates.LEAN_RUNGS)


def test_rungs_of_a_watermark_that_came_meanwhile_are_not_counted() -> None:
    now = ["hls/v240.m3u8", "hls/v360.m3u8", "hls/v720.m3u8", "m/hls/v240.m3u8", "m/hls/v360.m3u8", "m/hls/v720.m3u8"]
    assert lean.encodings_beyond(now[:2], now) == 1
    assert lean.encodings_beyond([*now[:2], *now[3:5]], now) == 2
    assert lean.encodings_beyond([*now[:2], *now[3:5]], now[:3]) == 1
