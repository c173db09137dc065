"""Clients as visitors and members have them: bound to a host, with a session of their own."""

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from tenants.catalog import album_by_id
from tenants.people import Member
from tenants.scope import open_site, secret
from tenants.sharing import create_link

ALPHA = "http://alpha.localhost"
BETA = "http://beta.localhost"
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Browser(FlaskClient):
    """Navigates on one origin."""

    origin = ALPHA

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("base_url", self.origin)
        kwargs.setdefault("buffered", True)  # Reads and closes bodies, as browsers do.
        kwargs["headers"] = Headers(kwargs.get("headers"))
        kwargs["headers"].setdefault("Accept", PAGE["Accept"])
        return super().open(*args, **kwargs)


def visitor(app: Flask, origin: str = ALPHA) -> Browser:
    """A browser without any cookie."""
    client = Browser(app, app.response_class, use_cookies=True)
    client.origin = origin
    return client


def member(app: Flask, tenant_id: str, member_id: str, origin: str = ALPHA) -> Browser:
    """A member who is signed in on `origin`."""
    client = visitor(app, origin)
    with app.app_context(), open_site(tenant_id) as site:
        found = site.session.get(Member, (tenant_id, member_id))
        assert found is not None
        identity = found.get_id()
    with client.session_transaction(base_url=origin) as session:
        session["tenant"] = tenant_id
        session["_user_id"] = identity
        session["_fresh"] = True
    return client


def share_link(app: Flask, tenant_id: str, album_id: str, **terms: Any) -> str:
    """The path of a new link to the album."""
    with app.app_context(), open_site(tenant_id) as site:
        album = album_by_id(site.session, tenant_id, album_id)
        assert album is not None
        _, token = create_link(site.session, album, secret(), now=site.now(), **terms)
        site.session.commit()
        return f"/s/{token}"


def token_of(client: FlaskClient, path: str) -> str:
    """The CSRF token of the form on that page."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def give(client: FlaskClient, path: str, password: str) -> int:
    """Fill in a share link's password form; the status of the answer."""
    return client.post(path, data={"csrf_token": token_of(client, path), "password": password}).status_code
