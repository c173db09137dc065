"""The plan: what each one has, how the tenant pays, and the ways to Checkout and to the Customer Portal.

The forms post to routes of `billing.desk`, which are there where plans are paid through Stripe and nowhere else.
"""

from flask import g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_date
from flask_babel import gettext as _

from infra.errors import N_
from tenants.people import Role
from tenants.registry import Standing
from tenants.statements import of_app
from webapp import headers, language
from webapp.auth import require
from webapp.dashboard.mount import bp

STRIPE_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com")
"""Where the forms' answers lead: browsers hold redirects of a form to `form-action` as well."""
TOLD = {
    Standing.OVERDUE: N_("The last payment failed and is tried again. Nothing is taken away for now."),
    Standing.UNPAID: N_("The bill is not paid: nothing can be changed until it is. Visitors still see everything."),
    Standing.FROZEN: N_("The subscription has ended: visitors see nothing. You can look around and download."),
}


@bp.get("/usage/plan")
@require(Role.ADMIN)
def plan() -> ResponseReturnValue:
    for page in STRIPE_PAGES:
        headers.allow("form-action", page)
    paying = of_app().paying(g.site)
    return render_template(
        "dashboard/plan.html",
        paying=paying,
        plans=of_app().plans(),
        owner=g.viewer.role.at_least(Role.OWNER),
        returned="paid" in request.args and paying.can_subscribe,
    )


@bp.app_template_global("standing_told")
def standing_told() -> str:
    """What members are told on every page while a bill is not paid or the end is near; empty while all is well."""
    until = g.site.tenant.delete_after
    if until is not None:
        return str(_("This account is to be erased on %(day)s. See “Your data”.", day=format_date(until)))
    return language.translated(TOLD.get(g.site.entitlements.standing, ""))
