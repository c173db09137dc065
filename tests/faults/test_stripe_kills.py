"""The sender of meter events, killed with SIGKILL around each sending: a fake of Stripe counts what the ledger has."""

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import World
from flask import Flask
from metered import HOUR, born, delivered, ledger_of, meter_events, photo, use
from stripe_fake import KEY, FakeStripe, running
from stripe_stage import SECRET, Stage, by_stripe

from billing.plans import Dimension
from billing.stripe_names import meter_name
from infra.local.clock import SystemClock
from infra.settings import Settings
from tenants.scope import ports

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parents[2]
POINTS = ("claim-events", "send", "sent", "mark")
"""Before the claim is kept; claimed and not sent; sent and not recorded, twice: before and after the UPDATE."""


def close(settings: Settings, faults: Path, point: str = "") -> subprocess.CompletedProcess[str]:
    """`billing close` in a process of its own."""
    if point:
        (faults / point).write_text("SIGKILL")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "VITRINE_DATA_DIR": str(settings.data_dir),
        "VITRINE_DATABASE_URL": settings.database_url,
        "VITRINE_DATABASE_OWNER_URL": settings.database_owner_url,
        "VITRINE_BILLING": "stripe",
        "VITRINE_STRIPE_API": settings.stripe_api,
        "VITRINE_STRIPE_KEY": KEY,
        "VITRINE_STRIPE_WEBHOOK_SECRET": SECRET,
        "VITRINE_FAULTS": str(faults),
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "billing", "close"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_killed_around_each_sending(core: Flask, settings: Settings, world: World, tmp_path: Path) -> None:
    """Windows of three days ago and corrections of them; nobody cleans up between the kills."""
    fake = FakeStripe(SystemClock())
    start = ports().clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    faults = tmp_path / "faults"
    faults.mkdir()
    born(start)
    with running(fake) as url:
        paid = by_stripe(settings, url)
        stage = Stage.of(core, fake, paid)
        stage.account(world.alpha)
        for number, point in enumerate(POINTS):
            for hours in range(3):
                at = start + hours * HOUR
                use(world.alpha, delivered(at, 10**9 + number, f"d{number}-{hours}"), photo(at, f"p{number}-{hours}"))
            assert close(paid, faults, point).returncode == -signal.SIGKILL, point
            assert not list(faults.glob("[!.]*")), "the point was passed"
        done = close(paid, faults)
        assert done.returncode == 0, done.stderr
        before = len(fake.meter_events)
        assert close(paid, faults).stdout == "nothing to close\n"
    assert {row.state for row in meter_events(world.alpha)} == {"sent"}
    assert len(fake.meter_events) == before == len({event["identifier"] for event in fake.meter_events})
    counted: Counter[str] = Counter()
    for event in fake.meter_events:
        counted[event["event_name"]] += int(event["payload"]["value"])
    ledger: Counter[str] = Counter()
    for (dimension, _), quantity in ledger_of(world.alpha).items():
        ledger[meter_name(dimension)] += quantity
    assert counted == ledger
    assert counted[meter_name(Dimension.PHOTOS)] == 3 * len(POINTS)
