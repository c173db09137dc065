"""A frozen tenant's site is closed to visitors. Its members still look around and take their files home."""

from flask import Flask, g, request

from infra.errors import Problem

_SHOWN = frozenset({"site.favicon", "site.icon", "site.manifest", "site.logo"})
"""What the sign-in page and the page that says so are made of."""


def init_app(app: Flask) -> None:
    """After `auth`, which knows who is looking."""
    app.before_request(_closed_while_frozen)


def _closed_while_frozen() -> None:
    if "site" not in g or g.site.entitlements.open or request.blueprint == "dashboard":
        return
    if request.endpoint in _SHOWN:
        return
    if g.viewer.role is None:
        raise Problem("paused", "Please ask the people whose site this is.")
