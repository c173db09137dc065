"""`flask --app wsgi tenants|members|albums …`, as an operator types them."""

from collections.abc import Iterator

import pytest
from conftest import PASSWORD, World
from flask import Flask
from flask.testing import FlaskCliRunner

import wsgi
from infra.settings import Settings
from tenants.db import db


@pytest.fixture
def flask(settings: Settings, world: World) -> Iterator[FlaskCliRunner]:
    app: Flask = wsgi.create_app(settings)
    yield app.test_cli_runner()
    with app.app_context():
        db.engine.dispose()


def test_a_tenant_from_nothing_to_an_album(flask: FlaskCliRunner) -> None:
    made = flask.invoke(args=["tenants", "create", "studio", "--name", "Studio Nine"])
    assert made.output == "Studio Nine: http://studio.localhost:8000\n"
    member = flask.invoke(args=["members", "add", "studio", "me@example.com", "--password", PASSWORD])
    assert member.output == "me@example.com is owner of studio\n"
    album = flask.invoke(args=["albums", "create", "studio", "Summer", "--visibility", "public"])
    assert album.output == "http://studio.localhost:8000/a/summer\n"
    assert flask.invoke(args=["albums", "list", "studio"]).output == "summer\tpublic\tSummer\n"
    assert "studio\tactive\tStudio Nine" in flask.invoke(args=["tenants", "list"]).output
    assert flask.invoke(args=["tenants", "domain", "studio", "photos.example.com"]).exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tenants", "create", "alpha"], "error: The slug 'alpha' is taken"),
        (["tenants", "create", "not a slug"], "error: 'not a slug' is no usable slug"),
        (["albums", "create", "nobody", "x"], "error: there is no tenant 'nobody'"),
        (["members", "add", "alpha", "x@example.com", "--password", "short"], "at least 10 characters"),
        (["tenants", "domain", "alpha", "beta.localhost"], "cannot be claimed"),
    ],
)
def test_mistakes_get_one_clear_line(flask: FlaskCliRunner, args: list[str], message: str) -> None:
    result = flask.invoke(args=args)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.splitlines()) == 1


def test_if_missing_makes_commands_repeatable(flask: FlaskCliRunner) -> None:
    assert flask.invoke(args=["tenants", "create", "alpha", "--if-missing"]).exit_code == 0
    again = ["members", "add", "alpha", "alice@example.com", "--password", PASSWORD, "--if-missing"]
    assert flask.invoke(args=again).exit_code == 0
