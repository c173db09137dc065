"""The operator in tests: signed in with a real code on the deployment's own host."""

import re
from datetime import UTC, datetime

from flask import Flask
from visits import Browser, visitor
from werkzeug.test import TestResponse

from tenants import operators
from tenants.scope import secret

OWN = "http://localhost"


class Operator:
    """Reads pages, and sends forms with the token of the page that was read last."""

    def __init__(self, web: Flask, who: str = "olga") -> None:
        self.browser: Browser = visitor(web, OWN)
        with web.app_context():
            given = operators.code(secret(), datetime.now(UTC), who)
        self.get("/operator/")
        assert self.post("/operator/", code=given).location == "/operator/tenants"
        self.get("/operator/tenants")

    def get(self, path: str) -> TestResponse:
        answer = self.browser.get(path)
        found = (
            re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.text) if answer.is_streamed is False else None
        )
        self.token = found[1] if found else getattr(self, "token", "")
        return answer

    def post(self, path: str, **fields: object) -> TestResponse:
        return self.browser.post(path, data={"csrf_token": self.token, **fields})
