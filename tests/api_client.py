"""A program at the API: a token of its own, JSON in and out."""

from datetime import timedelta
from itertools import count
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tenants import api_tokens
from tenants.api_tokens import Scope
from tenants.scope import open_site

_places = (f"10.7.{number // 250}.{number % 250}" for number in count())


def make_token(
    app: Flask, tenant_id: str, *scopes: Scope, lifetime: timedelta | None = None, name: str = "a program"
) -> str:
    """A live token; with every scope if none is named."""
    with app.app_context(), open_site(tenant_id) as site:
        _, token = api_tokens.create(
            site.session,
            tenant_id,
            name,
            scopes or tuple(Scope),
            made_by="alice@example.com",
            now=site.now(),
            lifetime=lifetime,
        )
        site.session.commit()
    return token


class Program:
    """Speaks to one tenant's host with one token."""

    def __init__(self, app: Flask, token: str, host: str = "alpha.localhost") -> None:
        self.http: FlaskClient = app.test_client()
        self.token = token
        self._base = f"https://{host}"
        self._place = next(_places)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        """`headers` by their names with underscores; those of None are left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token and "Authorization" not in named:
            named["Authorization"] = f"Bearer {self.token}"
        return self.http.open(
            path if path.startswith("/api/") else f"/api/v1{path}",
            method=method,
            base_url=self._base,
            environ_base={"REMOTE_ADDR": self._place},
            json=body,
            headers=named,
            buffered=True,
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.ask("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any, version: str | None = None, **headers: str) -> TestResponse:
        return self.ask("PATCH", path, body, **headers, **({"If_Match": version} if version else {}))

    def delete(self, path: str, version: str | None = None) -> TestResponse:
        return self.ask("DELETE", path, **({"If_Match": version} if version else {}))
