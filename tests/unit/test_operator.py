"""What tenants bring in and cost: exact against figures worked out by hand; and who may see it."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import World
from flask import Flask
from metered import HOUR, born, close, delivered, use
from sqlalchemy import update
from visits import ALPHA, Browser, member, visitor

import wsgi
from billing import costs, margin, terms
from billing.plans import GB, Dimension
from infra.errors import Problem
from infra.settings import Settings
from tenants import margins, operators
from tenants.db import across_tenants, db
from tenants.registry import Tenant
from tenants.scope import open_site, secret

OWN = "http://localhost"
START = datetime(2024, 3, 1, tzinfo=UTC)
END = datetime(2024, 4, 1, tzinfo=UTC)
BORN = END - 4 * HOUR
"""Late in the month: every hour since has to be closed."""


def of_march(now: datetime = END) -> margins.Margins:
    return margin.of_month(db.session(), costs.load(), 2024, 3, now)


def furnish(world: World) -> None:
    """Alpha pays for Studio and is delivered little; beta is on Free and is delivered 1 TB."""
    born(BORN)
    with open_site(world.alpha) as site:
        terms.assign(site, "studio", since=START)
        site.session.commit()
    use(world.alpha, delivered(BORN + HOUR, 10 * GB))
    use(world.beta, delivered(BORN + HOUR, 1000 * GB, "b"))
    close(END + 2 * HOUR)


def test_each_cost_is_use_times_price() -> None:
    used = {
        Dimension.STORAGE: 100 * GB * 730 * 3600,  # 100 GB for a month: 2.30
        Dimension.RENDITIONS: 50 * GB * 730 * 3600,  # in the same class: 1.15
        Dimension.DELIVERED: 30 * GB,  # 2.55; 200,000 requests, of which 20,000 reach S3
        Dimension.PHOTOS: 10_000,  # 15,000 s; 140,000 PUT
        Dimension.UPLOADS: 10_000,  # 50,000 PUT
        Dimension.VIDEO_OUT: 150 * 60_000,  # 3,000 s; 1,800 PUT
    }
    found = costs.estimate(costs.load(), used)
    assert found.storage == 230 + 115
    assert found.delivery == 255
    assert found.requests == 117  # 191.8 x 0.005 + 20 x 0.0004 + 20 x 0.01 = 1.167
    assert (found.spot_seconds, found.spot) == (18_000, 19)  # 5 h x (0.85 x 0.029 + 0.15 x 0.0725) / 2 / 0.48 = 0.18503
    assert found.total == 345 + 255 + 117 + 19


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[prices]", "[prices"), "cannot be read"),
        (('value = "0.085"', 'value = "-1"'), "prices.cloudfront_gb.value"),
        (('value = "0.085"', 'worth = "1"'), "prices.cloudfront_gb"),
        (("cloudfront_gb =", "gigabyte ="), "'cloudfront_gb' is missing"),
        (('edge_hits = { value = "0.9"', 'edge_hits = { value = "2"'), "edge_hits is a share"),
    ],
)
def test_a_wrong_price_file_is_named(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(costs.DEFAULT.read_text().replace(*change))
    with pytest.raises(Problem, match=told) as refused:
        costs.load(file)
    assert str(file) in refused.value.detail


@pytest.mark.every_database
def test_who_loses_money_comes_first(core: Flask, world: World) -> None:
    furnish(world)
    found = of_march()
    first, second = found.tenants
    assert (first.slug, second.slug) == ("beta", "alpha")
    assert (first.revenue, first.costs.delivery) == (0, 8500)
    assert first.share is None
    assert first.amount < 0 < second.amount
    assert (second.revenue, second.costs.delivery, second.plan) == (1900, 85, "Studio")
    assert found.losing == 1
    assert found.revenue - found.cost == first.amount + second.amount


def test_of_a_month_that_runs_the_plans_price_counts_as_far_as_it_has_come(core: Flask, world: World) -> None:
    furnish(world)
    half = of_march(START + (END - START) / 2)
    assert half.revenue == 950
    assert half.until < half.end


def test_a_tenant_is_in_no_month_before_it_was_made(core: Flask, world: World) -> None:
    furnish(world)
    session = db.session()
    with across_tenants(session, "test"):
        session.execute(update(Tenant).where(Tenant.slug == "alpha").values(created_at=END))
        session.commit()
    assert [each.slug for each in of_march().tenants] == ["beta"]


def test_other_money_is_refused(core: Flask, world: World, tmp_path: Path) -> None:
    born(START)
    file = tmp_path / "prices.toml"
    file.write_text(costs.DEFAULT.read_text().replace('"usd"', '"eur"'))
    with pytest.raises(Problem, match="Prices are in eur and a plan in usd"):
        margin.of_month(db.session(), costs.load(file), 2024, 3, END)


def test_the_command_tells_the_same_as_table_and_csv(settings: Settings, world: World, core: Flask) -> None:
    furnish(world)
    expected = of_march()
    runner = wsgi.create_app(settings).test_cli_runner()
    table = runner.invoke(args=["billing", "margin", "2024-03"])
    assert table.exit_code == 0, table.output
    assert [line.split()[0] for line in table.output.splitlines()] == ["2024-03", "tenant", "beta", "alpha", "all"]
    sheet = runner.invoke(args=["billing", "margin", "2024-03", "--csv"])
    rows = list(csv.DictReader(io.StringIO(sheet.output)))
    assert [Decimal(row["margin"]) * 100 for row in rows] == [each.amount for each in expected.tenants]
    assert rows[0]["delivered_gb"] == "1000.000"
    wrong = runner.invoke(args=["billing", "margin", "March"])
    assert "write 2026-02" in wrong.output
    assert wrong.exit_code


def operator(web: Flask) -> Browser:
    browser = visitor(web, OWN)
    web.config["WTF_CSRF_ENABLED"] = False
    with web.app_context():
        given = operators.code(secret(), datetime.now(UTC))
    assert browser.post("/operator/", data={"code": given}).location == "/operator/tenants"
    return browser


@pytest.mark.every_database
def test_the_page_tells_of_every_tenant(web: Flask, world: World) -> None:
    with web.app_context():
        furnish(world)
        expected = margins.as_csv(of_march())
    browser = operator(web)
    page = browser.get("/operator/margin?month=2024-03")
    assert page.status_code == 200
    assert page.text.index("Beta") < page.text.index("Alpha")
    assert page.text.count("loses money") == 1
    assert "$85.00" in page.text
    assert page.headers["Cache-Control"] == "private, no-store"
    sheet = browser.get("/operator/margin.csv?month=2024-03")
    assert sheet.text == expected
    for wrong in ("2024-13", "1999-01", "9999-01", "x"):
        assert browser.get(f"/operator/margin?month={wrong}").status_code == 404
    assert browser.post("/operator/leave").location == "/operator/"
    assert browser.get("/operator/margin").location == "/operator/"


def test_without_a_code_nobody_gets_in(web: Flask, world: World) -> None:
    web.config["WTF_CSRF_ENABLED"] = False
    browser = visitor(web, OWN)
    with web.app_context():
        now = datetime.now(UTC)
        late = operators.code(secret(), now - operators.CODE_LIFETIME)
        foreign = operators.code("another secret", now)
    for given in (late, foreign, "guess"):
        answer = browser.post("/operator/", data={"code": given})
        assert answer.status_code == 401
        assert "That code is not valid" in answer.text
    assert browser.get("/operator/margin").location == "/operator/"
    assert browser.get("/operator/margin.csv").location == "/operator/"


def test_a_form_of_another_site_signs_nobody_in(web: Flask, world: World) -> None:
    with web.app_context():
        given = operators.code(secret(), datetime.now(UTC))
    assert visitor(web, OWN).post("/operator/", data={"code": given}).status_code == 400


def test_no_tenants_host_has_the_pages(web: Flask, world: World) -> None:
    """Not even for a session that says it is the operator's."""
    alice = member(web, world.alpha, world.alice)
    stolen = operator(web).get_cookie("__Host-session", "localhost")
    assert stolen is not None
    thief = visitor(web, ALPHA)
    thief.set_cookie("__Host-session", stolen.value, domain="alpha.localhost")
    for browser in (alice, thief, visitor(web, ALPHA), visitor(web, "http://nobody.example")):
        for path in ("/operator/", "/operator/margin", "/operator/margin.csv"):
            assert browser.get(path).status_code == 404
        assert browser.post("/operator/leave").status_code == 404


def test_a_members_session_opens_nothing_on_the_own_host(web: Flask, world: World) -> None:
    cookie = member(web, world.alpha, world.alice).get_cookie("__Host-session", "alpha.localhost")
    assert cookie is not None
    thief = visitor(web, OWN)
    thief.set_cookie("__Host-session", cookie.value, domain="localhost")
    assert thief.get("/operator/margin").location == "/operator/"


def test_the_command_prints_a_code_that_opens(settings: Settings, world: World, web: Flask) -> None:
    answer = wsgi.create_app(settings).test_cli_runner().invoke(args=["operator"])
    address, given = answer.output.split()
    assert address.endswith("/operator/")
    with web.app_context():
        code = operators.read(secret(), given, datetime.now(UTC))
        assert code is not None
        assert code.who
