"""`flask --app wsgi billing …`, as an operator types them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from conftest import World
from flask import Flask
from flask.testing import FlaskCliRunner
from metered import HOUR, START, born, delivered, rows, use
from sqlalchemy import delete, update

import wsgi
from billing.ledger import LedgerRow
from billing.plans import GB
from infra.local.metrics import table as metric_table
from infra.settings import Settings
from tenants.db import db

MARCH = START + timedelta(days=2)


@pytest.fixture
def flask(settings: Settings, world: World) -> Iterator[FlaskCliRunner]:
    app: Flask = wsgi.create_app(settings)
    with app.app_context():
        born()
        use(world.alpha, delivered(START, 250 * GB))
        db.session.remove()
    yield app.test_cli_runner()
    with app.app_context():
        db.engine.dispose()


def ok(flask: FlaskCliRunner, *args: str) -> str:
    result = flask.invoke(args=["billing", *args])
    assert result.exit_code == 0, result.output
    return result.output


def close(flask: FlaskCliRunner, hours: int) -> str:
    return ok(flask, "close", "--at", (START + hours * HOUR + timedelta(minutes=15)).isoformat())


def test_a_month_from_use_to_an_invoice(flask: FlaskCliRunner, world: World) -> None:
    assert ok(flask, "plan", "alpha", "studio", "--since", "2024-02-01") == "alpha is on Studio\n"
    assert "2 closed" in close(flask, 1)
    assert close(flask, 1) == "nothing to close\n"
    early = flask.invoke(args=["billing", "invoice", "alpha", "2024-02"])
    assert (early.exit_code, len(early.output.splitlines())) == (1, 1)
    assert "not closed yet" in early.output
    close(flask, 30)
    assert ok(flask, "invoice", "alpha", "2024-02") == "alpha-2024-02\t2500 usd minor units\n"
    assert ok(flask, "invoice", "alpha", "2024-02") == "alpha-2024-02\t2500 usd minor units\n"
    assert ok(flask, "recompute", "alpha-2024-02") == "alpha-2024-02: equal, 2500 usd minor units\n"
    assert "total\t2500 usd minor units" in ok(flask, "recompute", "alpha:2024-02")


@pytest.mark.parametrize("what", ["nonsense", "", "a", "alpha/2024-02"])
def test_what_is_no_invoice_is_told_with_what_one_is(flask: FlaskCliRunner, what: str) -> None:
    answer = flask.invoke(args=["billing", "recompute", what])
    assert answer.exit_code == 1 and "is neither an invoice, as acme-2026-02" in answer.output


def test_what_comes_after_an_invoice_is_said_and_the_invoice_stays_equal(flask: FlaskCliRunner, world: World) -> None:
    ok(flask, "plan", "alpha", "studio", "--since", "2024-02-01")
    close(flask, 30)
    ok(flask, "invoice", "alpha", "2024-02")
    app = flask.app
    with app.app_context():
        use(world.alpha, delivered(START, 10 * GB, "late"))
        db.session.remove()
    close(flask, 30)
    told = ok(flask, "recompute", "alpha-2024-02")
    assert "equal, 2500" in told
    assert "120 minor units came late" in told


def test_a_changed_ledger_is_named_by_verify_and_recompute(flask: FlaskCliRunner, world: World) -> None:
    ok(flask, "plan", "alpha", "studio", "--since", "2024-02-01")
    close(flask, 30)
    ok(flask, "invoice", "alpha", "2024-02")
    assert "nothing was changed" in ok(flask, "verify")
    with flask.app.app_context(), db.engine.begin() as connection:
        connection.execute(update(LedgerRow.__table__).values(delta=260 * GB))
    for args, said in (
        (["verify"], "alpha\trow 1\twas changed: delivered_gb 2024-02-28T20 revision 1"),
        (["verify", "alpha"], "row 1"),
        (["recompute", "alpha-2024-02"], f"the invoice has {250 * GB} for 600, the ledger gives {260 * GB} for 720"),
    ):
        result = flask.invoke(args=["billing", *args])
        assert result.exit_code == 1
        assert said in result.output


def test_status_says_what_waits_and_why(flask: FlaskCliRunner, world: World) -> None:
    with flask.app.app_context(), db.engine.begin() as connection:
        connection.execute(delete(metric_table))
    assert "1 waiting" in close(flask, 1)
    told = ok(flask, "status").splitlines()
    assert told[0].startswith("alpha\tclosed until 2024-02-28T20:00Z\t0 rows\twaits: delivered.bytes: metrics say 0")
    assert told[1] == "beta\tclosed until 2024-02-28T21:00Z\t0 rows"
    close(flask, 26)
    assert "meter events sent\t1" in ok(flask, "status")
    with flask.app.app_context():
        assert len(rows(world.alpha)) == 1


def test_one_turn_of_run_closes_what_is_due(flask: FlaskCliRunner, world: World) -> None:
    with flask.app.app_context():
        born(datetime.now(UTC) - 3 * HOUR)
        db.session.remove()
    ok(flask, "run")
    told = ok(flask, "status").splitlines()
    assert "closed until" in told[0]
    assert close(flask, 1) == "nothing to close\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["plan", "alpha", "gold"], "There is no plan 'gold'"),
        (["plan", "alpha", "studio", "--since", "soon"], "'soon' is no time"),
        (["invoice", "alpha", "2024-13"], "'2024-13' is no month"),
        (["invoice", "nobody", "2024-02"], "there is no tenant 'nobody'"),
        (["recompute", "alpha-2024-02"], "there is no invoice 'alpha-2024-02'"),
        (["verify", "nobody"], "there is no tenant 'nobody'"),
        (["settle", "x", "--lost"], "x is not doubtful"),
    ],
)
def test_mistakes_get_a_clear_line(flask: FlaskCliRunner, args: list[str], said: str) -> None:
    result = flask.invoke(args=["billing", *args])
    assert result.exit_code != 0
    assert said in result.output
