"""Who gets into the API, and in which words others are refused."""

import json
from datetime import timedelta

import pytest
from api_client import Program, make_token
from conftest import World
from dashboard_client import Browser
from flask import Flask
from sqlalchemy import select

from infra.sql import reading
from tenants.api_tokens import ApiToken, Scope
from tenants.registry import Tenant, TenantState
from tenants.scope import open_site
from webapp.api import access


@pytest.fixture
def program(web: Flask, world: World) -> Program:
    return Program(web, make_token(web, world.alpha))


def test_without_a_token_nobody_gets_in_whatever_cookie_they_have(web: Flask, world: World) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    answer = alice.get("/api/v1/albums", accept="application/json")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer.json["type"] == "urn:problem-type:token"
    assert answer.mimetype == "application/problem+json"
    assert alice.post("/api/v1/albums", {"title": "By a form"}).status_code == 401
    page = alice.get("/api/v1/albums", accept="text/html")
    assert page.mimetype == "application/problem+json", "programs are answered, whatever they accept"


@pytest.mark.parametrize(
    "sent",
    ["Bearer", "Bearer x", "Basic a2V5", "Bearer key_aaaaaaaaaa_" + "a" * 43, "bearer \x00", "Bearer " + "k" * 5000],
)
def test_a_wrong_token_is_refused(web: Flask, world: World, sent: str) -> None:
    nobody = Program(web, "")
    assert nobody.get("/albums", Authorization=sent).status_code in (400, 401)


def test_a_token_with_another_secret_is_refused(web: Flask, world: World) -> None:
    token = make_token(web, world.alpha)
    forged = token[:-4] + ("aaaa" if token[-4:] != "aaaa" else "bbbb")
    answer = Program(web, forged).get("/albums")
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_is_nobodys_on_another_tenants_host(web: Flask, world: World) -> None:
    token = make_token(web, world.beta)
    assert Program(web, token, "beta.localhost").get("/albums").status_code == 200
    assert Program(web, token, "alpha.localhost").get("/albums").status_code == 401


def test_a_token_ends(web: Flask, world: World) -> None:
    over = make_token(web, world.alpha, lifetime=timedelta(seconds=-1))
    assert Program(web, over).get("/albums").status_code == 401
    alive = Program(web, make_token(web, world.alpha, name="to be revoked"))
    assert alive.get("/albums").status_code == 200
    with web.app_context(), open_site(world.alpha) as site:
        site.session.scalars(select(ApiToken).where(ApiToken.name == "to be revoked")).one().revoked_at = site.now()
        site.session.commit()
    assert alive.get("/albums").status_code == 401


def test_its_use_is_noted_now_and_then(web: Flask, world: World, program: Program) -> None:
    def used() -> object:
        with web.app_context(), reading(), open_site(world.alpha) as site:
            return site.session.scalars(select(ApiToken)).one().last_used_at

    assert used() is None
    program.get("/albums")
    first = used()
    program.get("/albums")
    assert first is not None and used() == first


def test_only_a_hash_of_it_is_kept(web: Flask, world: World) -> None:
    token = make_token(web, world.alpha)
    with web.app_context(), reading(), open_site(world.alpha) as site:
        row = site.session.scalars(select(ApiToken)).one()
        prefix = row.prefix
        kept = json.dumps([getattr(row, column.key) for column in ApiToken.__table__.columns], default=str)
    assert token.startswith(f"{prefix}_") and token.removeprefix(f"{prefix}_") not in kept


def test_a_read_only_tenant_reads(web: Flask, world: World, program: Program) -> None:
    with web.app_context(), open_site(world.alpha) as site:
        site.session.get_one(Tenant, world.alpha).state = TenantState.READ_ONLY
        site.session.commit()
    assert program.get("/albums").status_code == 200
    assert program.post("/albums", {"title": "No"}).status_code == 403


def test_rate_limits_are_told_and_kept(
    web: Flask, world: World, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "PER_MINUTE", 2)
    monkeypatch.setattr(access, "WRONG_PER_MINUTE", 2)
    first = program.get("/albums")
    assert first.headers["RateLimit-Policy"] == '"token";q=2;w=60'
    assert first.headers["RateLimit"].startswith('"token";r=1;t=')
    program.get("/albums")
    third = program.get("/albums")
    assert third.status_code == 429 and third.json["type"] == "urn:problem-type:rate-limited"
    assert 1 <= int(third.headers["Retry-After"]) <= 60
    assert Program(web, make_token(web, world.alpha)).get("/albums").status_code == 200, "each token has its own"
    guesser = Program(web, "key_aaaaaaaaaa_" + "a" * 43)
    assert [guesser.get("/albums").status_code for _ in range(3)] == [401, 401, 429]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"title": NaN}', 400),
        (b'{"title": "\\ud800"}', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'"' + b"x" * 300_000 + b'"', 413),
        (b"[]", 422),
        (b"null", 422),
        (b'{"title": 5}', 422),
        (b'{"title": "a", "titel": "b"}', 422),
        (b'{"title": "a\\u0000"}', 422),
        (b'{"title": "a", "originals": "yes"}', 422),
        (b'{"title": "a", "visibility": "secret"}', 422),
    ],
)
def test_what_is_no_album_is_refused_and_says_where(program: Program, body: bytes, status: int) -> None:
    answer = program.http.post(
        "/api/v1/albums",
        base_url="https://alpha.localhost",
        data=body,
        headers={"Authorization": f"Bearer {program.token}", "Content-Type": "application/json"},
    )
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    if status == 422:
        assert answer.json["errors"][0]["pointer"].startswith("#")


def test_a_form_is_no_json(program: Program) -> None:
    answer = program.http.post(
        "/api/v1/albums",
        base_url="https://alpha.localhost",
        data={"title": "A form"},
        headers={"Authorization": f"Bearer {program.token}"},
    )
    assert answer.status_code == 415


def test_the_dashboard_makes_a_token_and_shows_it_once(web: Flask, world: World) -> None:
    alice = Browser(web)
    alice.sign_in("alice")
    alice.get("/dashboard/api")
    made = alice.submit(
        "/dashboard/api",
        {"name": "Backup", "scopes": [Scope.ALBUMS_READ.value, Scope.USAGE_READ.value], "lifetime": "30"},
    )
    assert made.status_code == 200 and made.headers["Cache-Control"] == "no-store"
    token = made.text.partition('value="key_')[2].partition('"')[0]
    program = Program(web, f"key_{token}")
    assert program.get("/usage").status_code == 200
    assert program.post("/albums", {"title": "No"}).status_code == 403
    again = alice.get("/dashboard/api").text
    assert token not in again and "Backup" in again and f"key_{token[:10]}" in again
    with web.app_context(), reading(), open_site(world.alpha) as site:
        token_id = site.session.scalars(select(ApiToken)).one().id
    assert alice.submit(f"/dashboard/api/tokens/{token_id}/revoke").status_code == 303
    assert program.get("/usage").status_code == 401
    assert "Backup" not in alice.get("/dashboard/api").text.partition("<main")[2].partition("<footer")[0].replace(
        "“Backup”", ""
    )
    assert alice.submit("/dashboard/api", {"name": "No scopes", "scopes": []}).status_code == 422


def test_only_admins_make_tokens(web: Flask, world: World) -> None:
    adam = Browser(web)
    adam.sign_in("adam")
    assert adam.get("/dashboard/api").status_code == 403
    assert adam.submit("/dashboard/api", {"name": "x", "scopes": ["albums:read"]}).status_code == 403
