"""Every operation of the API, asked with tokens that have no business there, and with ids of another tenant.

The operations come from the app's `url_map`, so that a new one is asked on the day it is mounted.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from api_client import Program, make_token
from conftest import World
from crossing import MARK, Things, rows_of, things
from flask import Flask
from werkzeug.routing import Rule

from tenants.api_tokens import Scope
from webapp import csrf

__all__ = ["things"]  # A fixture is found by being here.

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
BODIES: dict[str, dict[str, Any]] = {
    "create_album": {"title": "taken over"},
    "change_album": {"title": "taken over", "visibility": "public"},
    "change_asset": {"caption": "taken over", "tags": ["taken"]},
    "move_asset": {"after": None},
    "create_webhook": {"url": "https://mallory.example/", "events": ["asset.ready"]},
    "change_webhook": {"url": "https://mallory.example/"},
    "create_share_link": {"rights": ["download_original"]},
}


def operations(web: Flask) -> Iterator[tuple[str, Rule]]:
    for rule in sorted(web.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        for method in METHODS:
            if rule.endpoint.startswith("api.") and method in (rule.methods or ()):
                yield method, rule


def described(web: Flask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, parts in web.extensions["vitrine.api"]["paths"].items():
        for method, operation in parts.items():
            if method != "parameters":
                yield path, method, operation


def ask(program: Program, method: str, rule: Rule, things: Things) -> Any:
    body = BODIES.get(rule.endpoint.removeprefix("api."), {}) if method in ("POST", "PATCH", "PUT") else None
    return program.ask(method, things.path(rule), body, If_Match="*")


def test_every_operation_is_described_and_every_description_is_mounted(web: Flask) -> None:
    mounted = {(re.sub(r"<([^>]+)>", r"{\1}", rule.rule), method.lower()) for method, rule in operations(web)}
    assert mounted == {(path, method) for path, method, _ in described(web)}
    assert len(mounted) >= 15


def test_every_operation_names_a_scope_and_needs_a_token(web: Flask, world: World, things: Things) -> None:
    scopes = {scope.value for scope in Scope}
    for _path, _method, operation in described(web):
        assert operation["x-scope"] in scopes and operation["security"] == [{"bearer": []}]
    for method, rule in operations(web):
        assert ask(Program(web, ""), method, rule, things).status_code == 401, rule.rule


def neighbours_token(web: Flask, world: World) -> Program:
    """Beta's token, with every scope, on alpha's host."""
    return Program(web, make_token(web, world.beta))


def neighbours_token_at_home(web: Flask, world: World) -> Program:
    """Beta's token on beta's host, with alpha's ids."""
    return Program(web, make_token(web, world.beta), "beta.localhost")


@pytest.mark.parametrize(("actor", "status"), [(neighbours_token, 401), (neighbours_token_at_home, 404)])
def test_a_token_of_another_tenant_reads_and_changes_nothing(
    web: Flask, world: World, things: Things, actor: Callable[[Flask, World], Program], status: int
) -> None:
    program = actor(web, world)
    before = rows_of(web, world.alpha)
    wrong = []
    for method, rule in operations(web):
        answer = ask(program, method, rule, things)
        if (rule.arguments or status == 401) and answer.status_code != status:
            wrong.append(f"{method} {rule.rule}: {answer.status_code}")
        if MARK in answer.text or answer.status_code >= 500:
            wrong.append(f"{method} {rule.rule}: {answer.status_code} shows what is alpha's")
    assert wrong == []
    assert rows_of(web, world.alpha) == before


def test_a_token_without_the_scope_changes_nothing(web: Flask, world: World, things: Things) -> None:
    """For each operation a token that has all scopes but the one that it needs."""
    paths = web.extensions["vitrine.api"]["paths"]
    tokens = {scope.value: Program(web, make_token(web, world.alpha, *(set(Scope) - {scope}))) for scope in Scope}
    for token in tokens.values():
        token.get("/usage")  # Their first use is written down.
    before = rows_of(web, world.alpha)
    for method, rule in operations(web):
        path = re.sub(r"<([^>]+)>", r"{\1}", rule.rule)
        needed = paths[path][method.lower()]["x-scope"]
        answer = ask(tokens[needed], method, rule, things)
        assert answer.status_code == 403, f"{method} {rule.rule}"
        assert MARK not in answer.text
    assert rows_of(web, world.alpha) == before


def test_the_tenants_own_token_gets_through(web: Flask, world: World, things: Things) -> None:
    """Or else the refusals above would prove nothing."""
    program = Program(web, make_token(web, world.alpha))
    refused = []
    for method, rule in operations(web):
        if method == "DELETE":
            continue  # They would take away what others are asked for.
        answer = ask(program, method, rule, things)
        if answer.status_code >= 400 and rule.endpoint != "api.move_asset":  # The album sorts itself: 409.
            refused.append(f"{method} {rule.rule}: {answer.status_code} {answer.text}")
    assert refused == []


def test_the_api_alone_needs_no_form_token(web: Flask) -> None:
    """It takes no cookie, so no other site's form can do anything by it."""
    exempt = {name for name, blueprint in web.blueprints.items() if blueprint in csrf._exempt_blueprints}
    assert exempt <= {"api", "stripe_hooks"} and "api" in exempt
