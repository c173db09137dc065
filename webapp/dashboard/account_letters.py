"""Letters to a member about how they sign in: the way back to a forgotten password, and what was changed, so that
whoever did not do it hears of it."""

from functools import partial

import structlog
from flask import Response, after_this_request, g, request, url_for
from flask_babel import force_locale, format_datetime
from flask_babel import gettext as _
from flask_limiter.util import get_remote_address

from infra.errors import N_, Unavailable
from infra.ports import Letter, Mail
from tenants.people import Member
from tenants.scope import ports
from webapp import canonical
from webapp.dashboard import devices
from webapp.language import DEFAULT, offered

log = structlog.get_logger(__name__)

CHANGES = {
    "password.changed": N_("Your password was changed."),
    "password.reset": N_("Your password was changed by the address in a letter to you."),
    "two-factor.on": N_("Your second factor was switched on."),
    "two-factor.renewed": N_("New recovery codes were made for you."),
    "two-factor.off": N_("Your second factor was switched off."),
    "passkey.added": N_("A passkey was added: it signs in as you."),
    "passkey.removed": N_("A passkey was removed."),
}
"""By their action in the audit log."""


def way_back(member: Member, address: str) -> None:
    """Send the member the address at which they choose another password."""
    site = g.site.tenant.name
    with force_locale(offered(g.site.tenant.brand.locale) or DEFAULT):
        lines = (
            _("Somebody, probably you, forgot the password for %(site)s.", site=site),
            _("Choose a new one here, within an hour:"),
            address,
            _("If that was not you, do nothing: your password stays as it is."),
        )
        subject = str(_("A new password for %(site)s", site=site))
    _post(member, subject, *lines)


def changed(member: Member, action: str) -> None:
    """Write the member of what this request does, one of `CHANGES`. Call it beside `note`, before the commit."""
    site = g.site.tenant.name
    with force_locale(offered(g.site.tenant.brand.locale) or DEFAULT):
        where = _(
            "%(when)s, by %(device)s, from %(address)s.",
            when=format_datetime(g.site.now(), "medium"),
            device=devices.name(request.user_agent.string),
            address=get_remote_address(),
        )
        lines = (
            _(CHANGES[action]),
            where,
            _("If that was not you: choose a new password, sign other devices out, and tell the owner of the site."),
            canonical.origin() + url_for("dashboard.account"),
        )
        subject = str(_("How you sign in to %(site)s was changed", site=site))
    _post(member, subject, *lines)


def _post(member: Member, subject: str, *lines: object) -> None:
    """Once the answer has been given, for a mail server may take seconds, and not at all if that is a refusal. Nobody
    waits for the letter, so one that is not taken is told to the log alone."""
    letter = Letter(str(member.email), subject, "\n\n".join(map(str, lines)) + "\n", g.site.tenant.name)
    send = partial(_send, ports().mail, letter)

    @after_this_request
    def sent(answer: Response) -> Response:
        if answer.status_code < 400:
            answer.call_on_close(send)
        return answer


def _send(mail: Mail, letter: Letter) -> None:
    try:
        mail.send(letter)
    except Unavailable as error:
        log.warning("a letter about signing in was not taken", error=str(error))
