"""The letter that invites to a tenant's dashboard.

It is sent while the inviting member waits, not later: they are told at once whether it was taken, and have the address
to hand over themselves if not.
"""

from dataclasses import dataclass

import structlog
from flask import g, url_for
from flask_babel import force_locale, format_date
from flask_babel import gettext as _

from infra.errors import Unavailable
from infra.ports import Letter
from tenants.invitations import Invitation
from tenants.scope import ports
from webapp import canonical
from webapp.dashboard.forms import role_name
from webapp.language import DEFAULT, offered

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sent:
    """`address` is what the letter says: it opens once, and nobody can be told it again."""

    email: str
    address: str
    taken: bool


def send(invitation: Invitation, token: str) -> Sent:
    """Commits when the letter was taken. To be called without a transaction: a mail server may take seconds."""
    email, tenant_id, key = str(invitation.email), g.site.tenant_id, invitation.id
    address = canonical.origin() + url_for("dashboard.join", token=token)
    letter = _letter(invitation, address)
    g.site.session.rollback()
    try:
        ports().mail.send(letter)
    except Unavailable as error:
        log.warning("an invitation was not taken", error=str(error))
        return Sent(email, address, taken=False)
    kept = g.site.session.get(Invitation, (tenant_id, key))
    if kept is not None:
        kept.mailed_at = g.site.now()
        g.site.session.commit()
    return Sent(email, address, taken=True)


def _letter(invitation: Invitation, address: str) -> Letter:
    """In the tenant's language and name: the people who get it know nobody else."""
    site = g.site.tenant.name
    with force_locale(offered(g.site.tenant.brand.locale) or DEFAULT):
        lines = (
            _("%(person)s invites you to %(site)s.", person=invitation.inviter, site=site),
            _("You would be: %(role)s.", role=role_name(invitation.role)),
            _("Choose a password here:"),
            address,
            _(
                "The invitation holds until %(day)s. If you did not expect it, do nothing.",
                day=format_date(invitation.expires_at, "long"),
            ),
        )
        subject = str(_("Invitation to %(site)s", site=site))
    return Letter(to=str(invitation.email), subject=subject, text="\n\n".join(map(str, lines)) + "\n", sender=site)
