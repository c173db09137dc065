"""The blueprint that the dashboard's views hang on."""

from flask import Blueprint, Response, g, request

from infra.errors import Problem
from tenants import purges
from webapp.host import SAFE_METHODS

bp = Blueprint("dashboard", __name__, url_prefix="/dashboard")

_ALWAYS = frozenset({"dashboard.sign_in", "dashboard.sign_out", "dashboard.account"})


@bp.after_request
def _drop_copies(response: Response) -> Response:
    """What a change has closed is closed at the edge too, before the member reads that it is."""
    if request.method not in SAFE_METHODS:
        purges.send_all()
    return response


@bp.before_request
def _only_while_writable() -> None:
    """A read-only tenant keeps its sites and its dashboard, and changes nothing."""
    changes = request.method not in SAFE_METHODS and request.endpoint not in _ALWAYS
    if changes and not g.site.entitlements.writable:
        raise Problem("forbidden", "This site is read-only at the moment: nothing can be changed.")
