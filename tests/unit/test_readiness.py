"""`/healthz`, `/readyz` and `flask ready`: real checks, bounded in time, that give nothing away."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import World
from flask import Flask
from flask.testing import FlaskCliRunner
from loopback import free_port
from sqlalchemy import select
from structlog.testing import capture_logs

import wsgi
from billing import closing
from infra.local.clock import SystemClock
from infra.local.tables import metric_points
from infra.settings import Settings
from tenants import domain_steps, heartbeat, readiness
from tenants.db import db
from tenants.heartbeat import Heartbeat
from tenants.readiness import FLEETS, Readiness


@pytest.fixture(params=["web", "upload"])
def fleet(request: pytest.FixtureRequest) -> Flask:
    app: Flask = request.getfixturevalue(request.param)
    return app


@pytest.fixture
def runner(settings: Settings, world: World, redis_url: str) -> Iterator[FlaskCliRunner]:
    app = wsgi.create_app(with_(settings, redis_url=redis_url))
    yield app.test_cli_runner()
    with app.app_context():
        db.engine.dispose()


def with_(settings: Settings, **others: object) -> Settings:
    return settings.model_copy(update=others)


def ask(app: Flask, path: str = "/readyz") -> tuple[int, Any]:
    answer = app.test_client().get(path, headers={"Host": "10.0.0.7:8000"})
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json if answer.is_json else answer.text


def ready(runner: FlaskCliRunner, *args: str) -> tuple[int, dict[str, Any]]:
    done = runner.invoke(args=["ready", *args])
    return done.exit_code, json.loads(done.stdout)


def test_a_fleet_that_can_work(fleet: Flask) -> None:
    status, found = ask(fleet)
    assert (status, found["ready"]) == (200, True)
    assert set(found["checks"].values()) == {"ok"} and {"database", "blobs"} <= set(found["checks"])
    assert fleet.test_client().head("/readyz").data == b""
    assert fleet.test_client().post("/readyz").status_code in (400, 404, 405)


def test_alive_touches_nothing(fleet: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "CHECKS", {})
    with fleet.app_context():
        db.engine.dispose()
    fleet.extensions.clear()
    assert ask(fleet, "/healthz") == (200, "ok\n")


def test_migrations_that_are_missing(fleet: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    _, known = readiness._migrations()
    monkeypatch.setattr(readiness, "_migrations", lambda: (frozenset({"next"}), known | {"next"}))
    with capture_logs() as said:
        status, found = ask(fleet)
    assert (status, found["ready"], found["checks"]["database"]) == (503, False, "failed")
    assert "migrations are pending: at " in str(said)


def test_a_later_release_may_have_migrated_already(fleet: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = frozenset({"0001"})
    monkeypatch.setattr(readiness, "_migrations", lambda: (earlier, earlier))
    assert ask(fleet)[0] == 200


def test_a_store_that_is_away_is_named_and_nothing_more(settings: Settings, world: World, keys: None) -> None:
    about = {"aws_region": "us-east-1", "s3_bucket": "nobody-must-know"}
    port = free_port()
    app = wsgi.make_web(with_(settings, blobs="s3", aws_endpoint_url=f"http://127.0.0.1:{port}", **about))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["checks"]["database"]) == (503, "ok")
    assert answer.json["checks"]["blobs"] in ("failed", "slow")  # boto3 tries again for a while.
    assert "nobody" not in answer.text and str(port) not in answer.text
    with app.app_context():
        db.engine.dispose()


def test_what_hangs_is_slow_and_is_not_begun_twice(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = [], threading.Event()

    def hang() -> None:
        begun.append(1)
        over.wait(60)

    monkeypatch.setattr(readiness, "LIMIT_SECONDS", 0.2)
    monkeypatch.setattr(readiness, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "CHECKS", {**readiness.CHECKS, "blobs": hang})
    for _ in range(3):
        assert ask(web) == (503, {"ready": False, "checks": {"database": "ok", "blobs": "slow"}})
    assert begun == [1]
    over.set()


def test_a_crowd_costs_one_look(web: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(readiness, "KEEP_SECONDS", 600.0)
    monkeypatch.setattr(readiness, "CHECKS", {**readiness.CHECKS, "blobs": lambda: looks.append(1)})
    for _ in range(20):
        assert ask(web)[0] == 200
    assert looks == [1]


def test_a_full_disk(settings: Settings, world: World) -> None:
    app = wsgi.make_upload(with_(settings, min_free_bytes=1 << 60))
    status, found = ask(app)
    assert (status, found["checks"]) == (503, {"database": "ok", "blobs": "ok", "disk": "failed"})
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("name", sorted(set(FLEETS) - set(heartbeat.LATE_SECONDS)))
def test_asking_for_a_server_from_its_machine(runner: FlaskCliRunner, name: str) -> None:
    code, found = ready(runner, name)
    assert (code, found["ready"], set(found["checks"])) == (0, True, set(FLEETS[name]))
    assert runner.invoke(args=["ready", name, "--alive"]).exit_code == 2


@pytest.mark.parametrize("name", sorted(heartbeat.LATE_SECONDS))
def test_asking_for_a_loop(runner: FlaskCliRunner, settings: Settings, name: str) -> None:
    code, found = ready(runner, name, "--alive")
    assert (code, found["checks"]["alive"]["why"]) == (1, f"{name} has never run on this machine")
    with runner.app.app_context():
        beating = Heartbeat(name)
        beating.beat()
    code, found = ready(runner, name)
    assert (code, found["ready"], set(found["checks"])) == (0, True, {"alive", *FLEETS[name]})
    late = time.time() - heartbeat.LATE_SECONDS[name] - 1
    os.utime(settings.data_dir / "run" / f"{name}.beat", (late, late))
    code, found = ready(runner, name, "--alive")
    assert (code, found["checks"]["alive"]["word"]) == (1, "failed")
    assert "no sign of life" in found["checks"]["alive"]["why"]


def test_reasons_are_for_who_is_on_the_machine(settings: Settings, world: World) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    app = wsgi.create_app(with_(settings, redis_url=nowhere))
    code, found = ready(app.test_cli_runner(), "bridge")
    assert (code, found["checks"]["redis"]["word"]) == (1, "failed")
    assert "refused" in found["checks"]["redis"]["why"]
    with app.app_context():
        db.engine.dispose()


def test_a_sign_of_life_is_written_now_and_then(
    core: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[Path] = []
    monkeypatch.setattr(Path, "touch", lambda self: touched.append(self))
    beating = Heartbeat("relay")
    for _ in range(100):
        beating.beat()
    assert touched == [settings.data_dir / "run" / "relay.beat"]


def test_every_check_is_somebodys() -> None:
    assert {name for names in FLEETS.values() for name in names} == set(readiness.CHECKS)
    assert Readiness


def turns(settings: Settings) -> list[str]:
    """Which loops say that a turn of theirs ended well."""
    with wsgi.core(settings).app_context():
        told = select(metric_points.c.dimensions).where(metric_points.c.name == heartbeat.TURNS)
        with db.engine.connect() as connection:
            return [dimensions["fleet"] for dimensions in connection.scalars(told)]


def test_a_turn_counts_once_it_has_ended_well(
    runner: FlaskCliRunner, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that fails at every turn is alive, and stands still."""

    def away(*_: object, **__: object) -> Counter[str]:
        raise ConnectionError("the database is away")

    with monkeypatch.context() as broken:
        broken.setattr(closing, "run", away)
        assert isinstance(runner.invoke(args=["billing", "run"]).exception, ConnectionError)
    assert (ready(runner, "billing", "--alive")[0], turns(settings)) == (0, [])
    assert runner.invoke(args=["billing", "run"]).exit_code == 0
    assert turns(settings) == ["billing"]


def test_the_loop_that_checks_domains_shows_signs_of_life(
    runner: FlaskCliRunner, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Over(Exception):
        pass

    def end(_clock: object, _seconds: float) -> None:
        raise Over

    monkeypatch.setattr(SystemClock, "sleep", end)
    assert isinstance(runner.invoke(args=["domains", "check", "--loop"]).exception, Over)
    assert (ready(runner, "domains", "--alive")[0], turns(settings)) == (0, ["domains"])
    monkeypatch.setattr(domain_steps, "due", lambda: 1 / 0)
    assert isinstance(runner.invoke(args=["domains", "check", "--loop"]).exception, Over)
    assert turns(settings) == ["domains"]
