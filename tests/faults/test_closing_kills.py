"""`billing close`, killed with SIGKILL at each of its fault points, on SQLite and on PostgreSQL."""

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import gallery
import pytest
from conftest import World
from flask import Flask
from metered import HOUR, START, Event, born, delivered, faults_of, ledger_of, meter_events, rows, stored, truth, use
from sqlalchemy import select, update

import wsgi
from billing import budgets, terms
from billing.alerts import BudgetLetter
from billing.ledger import LedgerHead
from infra import faults
from infra.settings import Settings
from tenants.catalog import album_by_id
from tenants.db import across_tenants, db
from tenants.scope import open_site, ports
from tenants.usage import Meter, UsageEvent

pytestmark = [pytest.mark.faults, pytest.mark.every_database]

POINTS = ("enrol", "correct", "corrected", "close-read", "close", "closed")
SENDING = ("doubt", "claim-events", "send", "sent", "mark")


def close(settings: Settings, folder: Path, at: datetime, point: str = "") -> int:
    """The command, in a process of its own; its exit status. Forked, so that it need not import everything anew."""
    if point:
        (folder / point).write_text("SIGKILL")
    db.session.remove()
    db.engine.dispose()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            faults._FOLDER = str(folder)
            runner = wsgi.create_app(settings).test_cli_runner()
            status = runner.invoke(args=["billing", "close", "--at", at.isoformat()]).exit_code
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_closing_survives_a_kill_at_every_point(core: Flask, settings: Settings, world: World, tmp_path: Path) -> None:
    """An hour for each point, with something new and something late; nobody cleans up between the kills."""
    born()
    folder = tmp_path / "faults"
    folder.mkdir()
    events: list[Event] = []
    now = START
    for number, point in enumerate((*POINTS, *SENDING)):
        at = START + number * HOUR
        fresh = [stored(at + timedelta(minutes=7), 1000 + number, f"s{number}"), delivered(at, 10**12, f"d{number}")]
        late = [delivered(at - 2 * HOUR, 1, f"l{number}"), stored(at - HOUR, 5, f"o{number}")] if number > 2 else []
        use(world.alpha, *fresh, *late)
        use(world.beta, *fresh, *late)
        events += [*fresh, *late]
        now = at + HOUR + timedelta(minutes=10)
        if number == 1:
            late = [delivered(START, 3, "first")]
            assert close(settings, folder, now) == 0
            use(world.alpha, *late)
            use(world.beta, *late)
            events += late
        assert close(settings, folder, now, point) == -signal.SIGKILL, point
        assert not list(folder.glob("[!.]*"))
    assert close(settings, folder, now) == 0
    for tenant_id in (world.alpha, world.beta):
        assert ledger_of(tenant_id) == truth(events, START, now - timedelta(minutes=10))
        assert faults_of(tenant_id) == []
        sent = meter_events(tenant_id)
        assert {row.state for row in sent} == {"sent"}
        assert sorted(row.value for row in sent) == sorted(row.delta for row in rows(tenant_id))
    before = len(rows(world.alpha))
    assert close(settings, folder, now) == 0
    assert len(rows(world.alpha)) == before


def test_a_look_at_renditions_survives_a_kill_at_every_point(
    core: Flask, settings: Settings, world: World, tmp_path: Path
) -> None:
    """Killed before what it told is committed, and before it notes that it looked: told once, with one metric."""
    folder = tmp_path / "faults"
    folder.mkdir()
    now = ports().clock.now()
    born(now - HOUR)
    assert close(settings, folder, now) == 0
    with open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_album)
        assert album is not None
        gallery.fill_rows(site, album, 3)
        site.session.commit()
    for point, events in (("rendered", 0), ("rendered-noted", 3), ("", 3), ("", 3)):
        with across_tenants(db.session(), "test"):  # The hour is over.
            db.session.execute(update(LedgerHead).values(rendition_looked_at=None))
            db.session.commit()
        assert close(settings, folder, now, point) == (-signal.SIGKILL if point else 0), point
        with open_site(world.alpha) as site:
            told = select(UsageEvent.amount).where(UsageEvent.meter == Meter.RENDERED)
            assert list(site.session.scalars(told)) == [6] * events
        told_metrics = ports().metrics.totals("usage.rendered.bytes", now - HOUR, now + HOUR, "tenant", [world.alpha])
        assert told_metrics == ({world.alpha: 18} if events else {})
    assert faults_of(world.alpha) == []


def test_a_letter_about_a_budget_survives_a_kill_at_every_point(
    core: Flask, settings: Settings, world: World, tmp_path: Path
) -> None:
    """Killed before it is noticed, before it is sent and after: it comes, and for the last kill once more."""
    folder = tmp_path / "faults"
    folder.mkdir()
    now = ports().clock.now()
    born(now - 2 * HOUR)
    with open_site(world.alpha) as site:
        terms.assign(site, "studio", since=now.replace(day=1, hour=0))
        budgets.put(site, budgets.Wish(2_000))  # Of which the plan's $19 are 95 per cent.
        site.session.commit()

    def letters() -> int:
        return len(list((settings.data_dir / "mail").glob("*.eml")))

    for point, there in (("budget-noticed", 0), ("budget-claimed", 0), ("budget-sent", 1), ("", 2), ("", 2)):
        assert close(settings, folder, now, point) == (-signal.SIGKILL if point else 0), point
        assert letters() == there
        with across_tenants(db.session(), "test"):  # The claim's ten minutes are over.
            db.session.execute(update(BudgetLetter).values(claimed_until=None))
            db.session.commit()
