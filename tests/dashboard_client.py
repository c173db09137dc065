"""A member at the dashboard: signs in through the real form and sends the real CSRF token."""

import re
from itertools import count
from typing import Any

import pytest
from conftest import PASSWORD, World
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

_places = (f"10.0.{number // 250}.{number % 250}" for number in count())
"""An IP address for each browser, so that no test uses up the rate limits of another."""


class Browser:
    """Speaks to one tenant's host. Unsafe requests carry the token of the page that was read last."""

    def __init__(self, app: Flask, host: str = "alpha.localhost", *, place: str = "") -> None:
        self.cookies: FlaskClient = app.test_client()
        self.place = place or next(_places)
        self._base = f"https://{host}"
        self.token = ""

    def get(self, path: str, *, accept: str = "text/html") -> TestResponse:
        response = self.cookies.get(
            path,
            base_url=self._base,
            environ_base={"REMOTE_ADDR": self.place},
            headers={"Accept": accept},
            buffered=True,
        )
        if response.mimetype == "text/html":
            found = re.search(r'name="csrf[-_]token"[^>]*(?:content|value)="([^"]+)"', response.text)
            self.token = found[1] if found else self.token
        return response

    def post(self, path: str, data: dict[str, Any] | None = None, *, accept: str = "application/json") -> TestResponse:
        return self.cookies.post(
            path,
            base_url=self._base,
            environ_base={"REMOTE_ADDR": self.place},
            data=data or {},
            headers={"Accept": accept, "X-CSRFToken": self.token, "Referer": self._base + "/dashboard/"},
            buffered=True,
        )

    def submit(self, path: str, data: dict[str, Any] | None = None) -> TestResponse:
        """A plain form, as a browser without scripts sends it."""
        return self.post(path, {"csrf_token": self.token, **(data or {})}, accept="text/html")

    def sign_in(self, name: str, password: str = PASSWORD, *, query: str = "") -> TestResponse:
        self.get("/dashboard/sign-in" + query)
        answer = self.submit("/dashboard/sign-in" + query, {"email": f"{name}@example.com", "password": password})
        self.get("/dashboard/")
        return answer


@pytest.fixture
def alice(web: Flask, world: World) -> Browser:
    """The owner of alpha, signed in."""
    browser = Browser(web)
    browser.sign_in("alice")
    return browser
