"""Schemathesis against the API as it runs: gunicorn, a real socket, the description that the server itself gives.

Each case is made from the description, some within it and some outside. No answer is a 5xx, none has a status, a type
or a shape that is not described, and what is outside the description is refused. Ids of things that are there are
mixed in, or nearly every case would be a 404. `make api-fuzz` runs 5,000 cases; here some per operation.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gallery
import pytest
import requests
import schemathesis
from api_client import make_token
from api_server import HOST, serving
from conftest import World
from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation
from sqlalchemy import select

from infra.settings import Settings
from tenants import webhooks
from tenants.catalog import album_by_id
from tenants.scope import open_site, secret
from tenants.sharing import create_link
from tenants.webhooks import Event, WebhookDelivery

CASES = int(os.environ.get("VITRINE_FUZZ_CASES", "160"))
CHECKED = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    *("response_headers_conformance", "negative_data_rejection", "unsupported_method", "missing_required_header"),
)


@dataclass(frozen=True)
class Server:
    url: str
    token: str
    ids: dict[str, list[str]]


@pytest.fixture
def server(web: Flask, world: World, settings: Settings, tmp_path: Path) -> Iterator[Server]:
    token = make_token(web, world.alpha)
    ids = made(web, world)
    with serving(settings, tmp_path) as url:
        yield Server(url, token, ids)


def made(web: Flask, world: World) -> dict[str, list[str]]:
    """Something of each kind, by the name that its id has in paths."""
    with web.app_context(), open_site(world.alpha) as site:
        album = album_by_id(site.session, world.alpha, world.alpha_private)
        assert album is not None
        assets = [gallery.add_photo(site, album, gallery.shot(path)).id for path in gallery.sources()[:3]]
        links = [create_link(site.session, album, secret(), now=site.now())[0].id for _ in range(3)]
        hook, _ = webhooks.create(site, "https://example.com/", tuple(Event))
        webhooks.publish(site, Event.PING, {}, only=hook)
        deliveries = list(site.session.scalars(select(WebhookDelivery.id)))
        site.session.commit()
        return {
            "album_id": [world.alpha_album, world.alpha_private],
            "asset_id": assets,
            "link_id": links,
            "webhook_id": [hook.id],
            "delivery_id": deliveries,
        }


def test_every_answer_is_as_described(server: Server) -> None:
    schema = schemathesis.openapi.from_dict(
        requests.get(f"{server.url}/api/v1/openapi.json", headers=HOST, timeout=120).json()
    )
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 20
    checks = CHECKS.get_by_names(CHECKED)
    each = max(2, CASES // len(operations))
    seen: dict[int, int] = {}
    for operation in operations:
        _fuzz(server, operation, each, checks, seen)
    print(f"{sum(seen.values())} cases over {len(operations)} operations: {dict(sorted(seen.items()))}")
    assert sum(seen.values()) >= CASES * 0.6
    assert {200, 201, 404, 422} <= set(seen), f"too narrow to prove anything: {seen}"


def _still_wrong(case: Any) -> bool:
    """Whether the query or the body was made wrong: a wrong id or token may have been replaced by a right one."""
    parts = (case.meta.components.get(place) for place in (ParameterLocation.QUERY, ParameterLocation.BODY))
    return any(part is not None and part.mode is schemathesis.GenerationMode.NEGATIVE for part in parts)


def _without_refusal(checks: Any) -> Any:
    return [check for check in checks if check.__name__ != "negative_data_rejection"]


def _fuzz(server: Server, operation: Any, most: int, checks: Any, seen: dict[int, int]) -> None:
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    strategy = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @examples(
        max_examples=most,
        deadline=None,
        derandomize="VITRINE_FUZZ_CASES" not in os.environ,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, lot=st.randoms(use_true_random=False))
    def run(case: Any, lot: random.Random) -> None:
        for name, known in server.ids.items():
            if name in (case.path_parameters or {}) and lot.random() < 0.8:
                case.path_parameters[name] = lot.choice(known)
        headers = {**HOST, "Authorization": f"Bearer {server.token}"}
        if lot.random() < 0.5 and operation.method in ("patch", "delete"):
            headers["If-Match"] = "*"
        answer = case.call(base_url=server.url, headers=headers)
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        case.validate_response(
            answer, checks=checks if _still_wrong(case) else _without_refusal(checks), headers=headers
        )

    run()
