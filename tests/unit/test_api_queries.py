"""Query parameters of the API: an operation takes those that it describes, once each, and refuses others by name."""

import re
from collections.abc import Iterator

import pytest
from api_client import Program, make_token
from conftest import World
from flask import Flask

from tenants.api_tokens import Scope

NOBODY = "0" * 26
NONE = "There is no such query parameter: this operation has none."
OF_LISTS = "There is no such query parameter: those of this operation are “limit”, “cursor”."


@pytest.fixture
def program(web: Flask, world: World) -> Program:
    return Program(web, make_token(web, world.alpha))


def operations(web: Flask) -> Iterator[tuple[str, str, list[str]]]:
    """Method, path with an id of nothing, and names of the query parameters, of each operation that is described."""
    for path, parts in web.extensions["vitrine.api"]["paths"].items():
        for method, told in parts.items():
            if method != "parameters":
                within = [each for each in told.get("parameters", []) if each.get("in") == "query"]
                yield method.upper(), re.sub(r"\{[^}]+\}", NOBODY, path), [each["name"] for each in within]


def test_every_operation_refuses_what_it_does_not_describe(web: Flask, world: World, program: Program) -> None:
    answers = {}
    for method, path, known in operations(web):
        answer = program.ask(method, f"{path}?nonsense=1", {} if method in ("POST", "PATCH") else None, If_Match="*")
        assert answer.status_code == 422, f"{method} {path}: {answer.status_code}"
        assert answer.json["type"] == "urn:problem-type:invalid"
        [error] = answer.json["errors"]
        assert error["parameter"] == "nonsense"
        assert re.findall("“([^”]+)”", error["detail"]) == known, "it says which there are"
        answers[method, path] = error["detail"]
    assert len(answers) >= 20
    assert answers["GET", f"/api/v1/albums/{NOBODY}"] == NONE
    assert answers["GET", "/api/v1/albums"] == OF_LISTS


def test_every_operation_describes_that_refusal(web: Flask) -> None:
    for path, parts in web.extensions["vitrine.api"]["paths"].items():
        for method, told in parts.items():
            if method != "parameters":
                assert told["responses"]["422"] == {"$ref": "#/components/responses/Problem422"}, f"{method} {path}"


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("=0", {"": OF_LISTS}),
        ("limits=5", {"limits": OF_LISTS}),
        ("Limit=5", {"Limit": OF_LISTS}),
        ("limit%20=5", {"limit ": OF_LISTS}),
        ("a/b~c=1", {"a/b~c": OF_LISTS}),
        ("_schema=1&_schema", {"_schema": "It is there more than once."}),
        ("limit=5&limit=5", {"limit": "It is there more than once."}),
        ("limit=5&page=2&offset=3", {"page": OF_LISTS, "offset": OF_LISTS}),
        (
            "limit=0&page=2",
            {"limit": "Must be greater than or equal to 1 and less than or equal to 200.", "page": OF_LISTS},
        ),
        ("limit=", {"limit": "Not a valid integer."}),
        ("cursor=", {"cursor": "Length must be between 1 and 500."}),
    ],
)
def test_a_list_says_what_is_wrong_with_its_query(program: Program, query: str, wrong: dict[str, str]) -> None:
    answer = program.get(f"/albums?{query}")
    assert answer.status_code == 422 and answer.mimetype == "application/problem+json"
    assert {error["parameter"]: error["detail"] for error in answer.json["errors"]} == wrong


@pytest.mark.parametrize("query", ["", "limit=5", "&", "limit=5&"])
def test_a_query_of_what_is_described_is_answered(program: Program, query: str) -> None:
    assert program.get(f"/albums?{query}").status_code == 200


def test_a_token_in_the_address_is_no_token_and_is_not_told_again(web: Flask, program: Program) -> None:
    """RFC 6750 discourages it (2.3): addresses are written into logs."""
    alone = Program(web, "").get(f"/albums?access_token={program.token}")
    assert alone.status_code == 401
    beside = program.get(f"/albums?access_token={program.token}")
    assert beside.status_code == 422 and beside.json["errors"][0]["parameter"] == "access_token"
    assert program.token not in beside.text


def test_a_query_is_refused_before_anything_is_made(web: Flask, world: World, program: Program) -> None:
    key = {"Idempotency_Key": "with a query"}
    assert program.post("/albums?dry_run=1", {"title": "Not made"}, **key).status_code == 422
    assert program.get("/albums").json["items"][0]["title"] != "Not made"
    assert program.post("/albums", {"title": "Made"}, **key).status_code == 201, "the key was not used up"


def test_the_scope_is_asked_before_the_query(web: Flask, world: World) -> None:
    reader = Program(web, make_token(web, world.alpha, Scope.ALBUMS_READ))
    assert reader.get("/webhooks?nonsense=1").status_code == 403


def test_a_preflight_is_not_answered_to_strangers(web: Flask, world: World, program: Program) -> None:
    """No page of another origin may call: there are no CORS headers, whatever the query."""
    asked = {"Origin": "https://elsewhere.example", "Access_Control_Request_Method": "GET"}
    for who, status in ((Program(web, ""), 401), (program, 200)):
        answer = who.ask("OPTIONS", "/albums?nonsense=1", **asked)
        assert answer.status_code == status
        assert not [name for name in dict(answer.headers) if name.lower().startswith("access-control")]
