"""The blueprint that the dashboard's views hang on."""

from flask import Blueprint, Response, g, request, session

from infra.errors import Problem
from tenants import purges, sessions
from webapp.host import SAFE_METHODS, writing

bp = Blueprint("dashboard", __name__, url_prefix="/dashboard")

ALWAYS = frozenset(
    f"dashboard.{name}"
    for name in (
        *("sign_in", "second_step", "sign_out", "account", "two_factor", "two_factor_off", "end_session"),
        *("sign_out_everywhere", "support", "end_support", "enter_support", "seen_announcement"),
        *("passkey_sign_in", "begin_passkey", "add_passkey", "rename_passkey", "remove_passkey"),
        *("ask_export", "erase_account", "keep_account", "forgotten", "reset_password"),
    )
)


@bp.after_request
def _drop_copies(response: Response) -> Response:
    """What a change has closed is closed at the edge too, before the member reads that it is."""
    if request.method not in SAFE_METHODS:
        purges.send_all()
    return response


@bp.after_request
def _note_session(response: Response) -> Response:
    """When a member's browser was here, for the list in their account."""
    if "site" in g and "sid" in session:
        kept = sessions.find(g.site.session, g.site.tenant_id, session["sid"])
        if kept is not None and sessions.is_due(kept, g.site.now()):
            with writing():
                sessions.seen(g.site.session, g.site.tenant_id, session["sid"], g.site.now())
    return response


@bp.before_request
def _only_while_writable() -> None:
    """A read-only tenant keeps its sites and its dashboard, and changes nothing."""
    changes = request.method not in SAFE_METHODS and request.endpoint not in ALWAYS
    if changes and not g.site.entitlements.writable:
        raise Problem("forbidden", "This site is read-only at the moment: nothing can be changed.")
