"""The blueprint that the dashboard's views hang on."""

from flask import Blueprint, g, request

from infra.errors import Problem
from webapp.host import SAFE_METHODS

bp = Blueprint("dashboard", __name__, url_prefix="/dashboard")

_ALWAYS = frozenset({"dashboard.sign_in", "dashboard.sign_out", "dashboard.account"})


@bp.before_request
def _only_while_writable() -> None:
    """A read-only tenant keeps its sites and its dashboard, and changes nothing."""
    changes = request.method not in SAFE_METHODS and request.endpoint not in _ALWAYS
    if changes and not g.site.entitlements.writable:
        raise Problem("forbidden", "This site is read-only at the moment: nothing can be changed.")
