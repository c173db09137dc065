"""What renditions take is told once, whoever wrote or removed them, and becomes hours of the ledger like storage."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import gallery
import pytest
from conftest import ManualClock, World
from dying import Crash, dying_at
from flask import Flask
from metered import HOUR, START, Event, born, close, faults_of, head, ledger_of, rows, truth, use
from sqlalchemy import delete, select, update
from statements import statements
from stripe_stage import on_clock

from billing import renditions
from billing.ledger import LedgerHead
from billing.plans import Dimension
from billing.renditions import RenditionUse
from tenants import catalog
from tenants.catalog import Asset, Rendition
from tenants.db import across_tenants, db
from tenants.editions import Edition
from tenants.names import new_id
from tenants.scope import open_site
from tenants.usage import Meter, UsageEvent

pytestmark = pytest.mark.every_database


@pytest.fixture(autouse=True)
def _born(core: Flask, world: World, clock: ManualClock) -> None:
    """At the clock's time, which is START; nobody has renditions yet."""
    clock.time = START
    on_clock(core, clock)
    born()
    session = db.session()
    with across_tenants(session, "test"):
        session.execute(delete(Rendition))
        session.commit()
    close(START)


def photo(tenant_id: str, album_id: str, *sizes: int) -> str:
    """An asset with a rendition of each size, in its first generation."""
    with open_site(tenant_id) as site:
        album = catalog.album_by_id(site.session, tenant_id, album_id)
        assert album is not None
        about = {"asset_id": new_id(), "filename": "a.jpg", "sha256": "0" * 64, "size": 1, "now": site.now()}
        asset_id = catalog.add_asset(site.session, album, **about).id
        site.session.commit()
    add(tenant_id, asset_id, *sizes)
    return asset_id


def add(tenant_id: str, asset_id: str, *sizes: int, generation: int = 1) -> None:
    with open_site(tenant_id) as site:
        for number, size in enumerate(sizes):
            row = {"tenant_id": tenant_id, "asset_id": asset_id, "generation": generation, "name": f"w{number}.jpg"}
            site.session.add(Rendition(**row, content_type="image/jpeg", width=1, height=1, size=size))
        site.session.commit()


def remove(tenant_id: str, asset_id: str, *, generation: int | None = None, asset: bool = False) -> None:
    with open_site(tenant_id) as site:
        gone = delete(Rendition).where(Rendition.asset_id == asset_id)
        site.session.execute(gone if generation is None else gone.where(Rendition.generation == generation))
        if asset:
            site.session.execute(delete(Asset).where(Asset.id == asset_id))
        site.session.commit()


def look(clock: ManualClock, after: timedelta = HOUR) -> int:
    clock.sleep(after.total_seconds())
    return renditions.run(clock.time)["renditions"]


def told(tenant_id: str) -> list[UsageEvent]:
    session = db.session()
    with across_tenants(session, "test"):
        wanted = select(UsageEvent).where(UsageEvent.tenant_id == tenant_id, UsageEvent.meter == Meter.RENDERED)
        found = list(session.scalars(wanted.order_by(UsageEvent.at, UsageEvent.id)))
        session.expunge_all()
        session.rollback()
    return found


def amounts(tenant_id: str) -> list[int | None]:
    return [event.amount for event in told(tenant_id)]


def kept(tenant_id: str) -> dict[str, tuple[int, int]]:
    session = db.session()
    with across_tenants(session, "test"):
        found = session.scalars(select(RenditionUse).where(RenditionUse.tenant_id == tenant_id))
        each = {row.asset_id: (row.size, row.turn) for row in found}
        session.rollback()
    return each


def sum_is_the_catalogs(tenant_id: str) -> bool:
    """What was told of each asset, by its events and by its row, is what its renditions take."""
    session = db.session()
    with across_tenants(session, "test"):
        sizes: Counter[str] = Counter()
        for asset_id, size in session.execute(
            select(Rendition.asset_id, Rendition.size).where(Rendition.tenant_id == tenant_id)
        ):
            sizes[asset_id] += size
        session.rollback()
    by_events: Counter[str] = Counter()
    for event in told(tenant_id):
        by_events[str(event.asset_id)] += event.amount or 0
    by_rows = {asset_id: size for asset_id, (size, _) in kept(tenant_id).items() if size}
    return {each: size for each, size in by_events.items() if size} == by_rows == {**sizes}


def test_each_asset_is_told_of_once(world: World, clock: ManualClock) -> None:
    first = photo(world.alpha, world.alpha_album, 100, 20)
    second = photo(world.alpha, world.alpha_album, 7)
    assert look(clock) == 2
    assert sorted((event.id, event.amount) for event in told(world.alpha)) == sorted(
        [(f"rendered:{first}:1", 120), (f"rendered:{second}:1", 7)]
    )
    assert {(event.album_id, event.at) for event in told(world.alpha)} == {(world.alpha_album, clock.time)}
    assert [look(clock, after) for after in (timedelta(0), HOUR, timedelta(days=2))] == [0, 0, 0]
    assert amounts(world.beta) == []


def test_what_is_made_anew_counts_with_what_is_still_there(world: World, clock: ManualClock) -> None:
    """As in the bucket: a generation counts until it is removed."""
    asset = photo(world.alpha, world.alpha_album, 100)
    look(clock)
    add(world.alpha, asset, 80, 5, generation=2)
    look(clock)
    remove(world.alpha, asset, generation=1)
    look(clock)
    assert amounts(world.alpha) == [100, 85, -100]
    assert kept(world.alpha) == {asset: (85, 3)}


def test_an_asset_without_renditions_keeps_its_turn_and_one_that_is_gone_does_not(
    world: World, clock: ManualClock
) -> None:
    asset = photo(world.alpha, world.alpha_album, 100)
    look(clock)
    remove(world.alpha, asset)
    look(clock)
    assert kept(world.alpha) == {asset: (0, 2)}
    add(world.alpha, asset, 30)
    look(clock)
    assert amounts(world.alpha) == [100, -100, 30]
    remove(world.alpha, asset, asset=True)
    look(clock)
    assert amounts(world.alpha) == [100, -100, 30, -30]
    assert kept(world.alpha) == {}
    bare = photo(world.alpha, world.alpha_album, 1)
    look(clock)
    remove(world.alpha, bare)
    look(clock)
    remove(world.alpha, bare, asset=True)
    look(clock)
    assert (amounts(world.alpha)[4:], kept(world.alpha)) == ([1, -1], {})


def test_a_tenant_is_looked_at_once_an_hour_and_only_if_something_changed(
    core: Flask, world: World, clock: ManualClock
) -> None:
    assert look(clock) == 0
    photo(world.alpha, world.alpha_album, 100)
    assert look(clock, timedelta(minutes=59)) == 0, "within the hour"
    with statements(core) as seen:
        assert look(clock, timedelta(minutes=1)) == 1
    compared = sum("rendition_use" in statement and "SELECT" in statement for statement in seen)
    assert compared == 1
    with statements(core) as seen:
        assert look(clock) == 0
    assert not any("rendition_use" in statement for statement in seen), "nobody's edition has changed"


def test_what_no_edition_told_of_is_found_within_a_day(world: World, clock: ManualClock) -> None:
    photo(world.alpha, world.alpha_album, 100)
    session = db.session()
    with across_tenants(session, "test"):
        numbers = {row.tenant_id: row.number for row in session.scalars(select(Edition))}
        for tenant_id, number in numbers.items():
            seen = {"rendition_edition": number, "rendition_looked_at": clock.time}
            session.execute(update(LedgerHead).where(LedgerHead.tenant_id == tenant_id).values(**seen))
        session.commit()
    assert [look(clock) for _ in range(24)] == [0] * 24
    assert look(clock) == 1
    assert amounts(world.alpha) == [100]


def test_two_that_look_at_once_tell_one_time(core: Flask, world: World, clock: ManualClock) -> None:
    """One reads, another reads and tells, more is made, and the first one tells what it read."""
    asset = photo(world.alpha, world.alpha_album, 100)
    session = db.session()
    with across_tenants(session, "test"):
        read = [renditions.Change._make(row) for row in session.execute(renditions._changes([world.alpha]))]
        session.rollback()
        assert [each.size for each in read] == [100]
        assert look(clock) == 1
        add(world.alpha, asset, 11, generation=2)
        assert renditions._tell(session, read, clock.time) == set()
    assert kept(world.alpha) == {asset: (100, 1)}
    assert look(clock) == 1
    assert amounts(world.alpha) == [100, 11]


def test_a_crowd_tells_each_asset_once(core: Flask, world: World, clock: ManualClock) -> None:
    """Processes as threads, each with a connection of its own, while more is made."""
    with open_site(world.alpha) as site:
        album = catalog.album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        gallery.fill_rows(site, album, 400)
        site.session.commit()
    db.session.remove()
    clock.sleep(3600)
    together = Barrier(4)

    def work(number: int) -> int:
        with core.app_context():
            try:
                together.wait(60)
                if number == 3:
                    photo(world.alpha, world.alpha_album, 70)
                    return 0
                return renditions.run(clock.time)["renditions"]
            finally:
                db.session.remove()

    with ThreadPoolExecutor(4) as crowd:
        told_by_all = sum(crowd.map(work, range(4)))
    assert told_by_all in (400, 401)
    assert told_by_all + look(clock) == 401
    assert len(amounts(world.alpha)) == 401
    assert sum_is_the_catalogs(world.alpha)


def test_who_was_overtaken_does_not_say_that_all_was_seen(
    world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one may have told of an older size than the edition stands for."""
    photo(world.alpha, world.alpha_album, 100)
    honest = renditions._tell

    def overtaken(*args: object) -> set[renditions.Change]:
        honest(*args)  # type: ignore[arg-type]
        return honest(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(renditions, "_tell", overtaken)
    assert look(clock) == 0
    assert head(world.alpha).rendition_edition == -1
    assert head(world.beta).rendition_edition > 0
    monkeypatch.undo()
    assert look(clock, timedelta(0)) == 0
    assert head(world.alpha).rendition_edition > 0
    assert amounts(world.alpha) == [100]


def test_a_crash_before_any_statement_loses_and_doubles_nothing(core: Flask, world: World, clock: ManualClock) -> None:
    """Each statement and each commit in turn, with something new, something more and something gone to tell of."""
    statement, through = 0, False
    while not through:
        statement += 1
        more, gone = (photo(world.alpha, world.alpha_album, 10 * statement) for _ in range(2))
        look(clock)
        add(world.alpha, more, 7, generation=2)
        remove(world.alpha, gone, asset=True)
        photo(world.alpha, world.alpha_album, 3)
        photo(world.beta, world.beta_album, 5)
        clock.sleep(3600)
        try:
            with dying_at(statement):
                renditions.run(clock.time)
            through = True
        except Crash:
            db.session.remove()
        renditions.run(clock.time)
        assert sum_is_the_catalogs(world.alpha) and sum_is_the_catalogs(world.beta)
    assert statement > 8, "a look is shorter than it can be"
    close(clock.time + timedelta(days=2))
    assert faults_of(world.alpha) == faults_of(world.beta) == []


def test_many_changes_are_told_of_in_parts(world: World, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renditions, "MOST", 3)
    monkeypatch.setattr(renditions, "CHUNK", 2)
    for size in range(1, 9):
        photo(world.alpha, world.alpha_album, size)
    assert look(clock) == 8
    assert sum_is_the_catalogs(world.alpha)
    assert look(clock) == 0
    monkeypatch.setattr(renditions, "MOST_AT_ONCE", 4)
    for size in range(1, 9):
        photo(world.alpha, world.alpha_album, size)
    assert [look(clock, timedelta(minutes=each)) for each in (60, 1, 1)] == [6, 2, 0]
    assert sum_is_the_catalogs(world.alpha)


def test_statements_are_as_many_for_one_as_for_all(core: Flask, world: World, clock: ManualClock) -> None:
    photo(world.alpha, world.alpha_album, 1)
    with statements(core) as for_one:
        assert look(clock) == 1
    for _ in range(3):
        photo(world.alpha, world.alpha_album, 1)
        photo(world.beta, world.beta_album, 2)
    with statements(core) as for_all:
        assert look(clock) == 6
    mine = ("usage_events", "rendition_use", "ledger_heads")
    asked = [[s for s in seen if any(table in s for table in mine)] for seen in (for_one, for_all)]
    assert len(asked[0]) == len(asked[1]) == 5
    assert sum("INSERT INTO metric_points" in statement for statement in for_all) == 2, "one for each tenant"


def test_hours_of_renditions_are_in_the_ledger_and_no_metric_is_missed(world: World, clock: ManualClock) -> None:
    asset = photo(world.alpha, world.alpha_album, 5000)
    look(clock, timedelta(minutes=20))
    first = clock.time
    remove(world.alpha, asset, asset=True)
    look(clock, 3 * HOUR)
    events = [Event("a", Meter.RENDERED, 5000, first), Event("b", Meter.RENDERED, -5000, clock.time)]
    done = close(clock.time + 4 * HOUR)
    assert (done["waiting"], done["disagreement"]) == (0, 0)
    assert ledger_of(world.alpha) == truth(events, START, clock.time + 4 * HOUR)
    assert {row.meter for row in rows(world.alpha)} == {Dimension.RENDITIONS.value}
    assert rows(world.beta) == []
    assert head(world.alpha).levels == {Meter.STORED: 0, Meter.RENDERED: 0}
    assert faults_of(world.alpha) == []


def test_the_two_levels_go_their_own_ways(world: World, clock: ManualClock) -> None:
    """A late change of one reaches the hours after it of that one alone."""
    early = [Event("s", Meter.STORED, 70, START), Event("r", Meter.RENDERED, 30, START)]
    use(world.alpha, *early)
    close(START + 5 * HOUR)
    late = [Event("t", Meter.RENDERED, -10, START + HOUR)]
    use(world.alpha, *late)
    assert close(START + 5 * HOUR)["corrections"] == 3
    assert ledger_of(world.alpha) == truth(early + late, START, START + 4 * HOUR)
    assert head(world.alpha).levels == {Meter.STORED: 70, Meter.RENDERED: 20}
    assert faults_of(world.alpha) == []
