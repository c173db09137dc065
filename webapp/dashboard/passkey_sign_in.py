"""Signing in with a passkey. The page's script asks the browser; without it the page offers the password alone."""

import structlog
from flask import g, jsonify, request
from flask.typing import ResponseReturnValue

from infra.errors import Problem
from tenants import passkeys
from webapp import entry
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.dashboard.sign_in import ATTEMPTS_FROM_ONE_PLACE, safe_target
from webapp.host import here
from webapp.limits import limiter

log = structlog.get_logger(__name__)


@bp.get("/sign-in/passkey")
@limiter.limit("120 per 15 minutes")
def passkey_options() -> ResponseReturnValue:
    """What `navigator.credentials.get` takes. The same for everybody: it tells nothing of who is a member."""
    made = passkeys.request_options(here(), entry.challenge())
    return jsonify(made), 200, {"Cache-Control": "no-store"}


@bp.post("/sign-in/passkey")
@limiter.limit(ATTEMPTS_FROM_ONE_PLACE, deduct_when=lambda response: response.status_code >= 400)
def passkey_sign_in() -> ResponseReturnValue:
    """No second step: the device has checked who holds it, and has signed that it did."""
    challenge = entry.take_challenge()
    if challenge is None:
        raise Problem("sign-in", "That took too long. Please try again.")
    session, tenant_id, now = g.site.session, g.site.tenant_id, g.site.now()
    given = request.form.get("credential", "")
    try:
        member, passkey = passkeys.signed_in(session, tenant_id, here(), challenge, given, now=now)
    except passkeys.CounterWentBack as error:
        _suspect(error.passkey)
        raise Problem("sign-in", passkeys.REFUSED) from error
    member.signed_in_at = now
    note("session.begun", by=member, about=passkey.name, passkey=passkey.id)
    entry.sign_in(member)
    return jsonify(location=safe_target(request.args.get("next", "")))


def _suspect(passkey: passkeys.Passkey) -> None:
    """The member can read of it in the log; the answer tells no more than of any other refusal."""
    log.warning("a passkey's counter went back", passkey=passkey.id)
    note("passkey.suspected", by=passkeys.owner(g.site.session, passkey), about=passkey.name)
    g.site.session.commit()
