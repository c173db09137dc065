"""What the dashboard's pages do about paying: functions for them, and the routes that lead to Stripe's own pages.

    POST /dashboard/billing/checkout  plan=CODE   a first payment: 303 to Checkout
    POST /dashboard/billing/plan      plan=CODE   another plan for the running subscription: 303 back
    POST /dashboard/billing/portal                cards, invoices, cancelling: 303 to the Customer Portal

They are the owner's, need a form token like every form, and work while the site is read-only or frozen: paying is the
way out of that.
"""

from dataclasses import replace

from flask import Blueprint, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from billing import backend, customers
from billing.accounts import account
from billing.terms import plan_at
from infra.errors import Problem
from tenants.people import Role
from tenants.scope import Site
from tenants.statements import Paying

desk = Blueprint("billing", __name__, url_prefix="/dashboard/billing")

BACK = "/dashboard/usage/plan"
"""Where Stripe sends people back to, on the site they came from."""


def standing(site: Site) -> Paying:
    """As last read from Stripe; asks nobody."""
    found = customers.current(site)
    plan = plan_at(site.session, site.tenant_id, site.now()).code
    about = Paying(
        standing=site.entitlements.standing,
        plan=plan,
        can_subscribe=backend.uses_stripe(),
        has_portal=account(site.session) is not None,
        sold_here=backend.uses_stripe(),
    )
    if found is None:
        return about
    return replace(
        about,
        status=found.status,
        trial_end=found.trial_end,
        period_end=found.period_end,
        ends_with_period=found.ends_with_period,
        can_subscribe=about.can_subscribe and found.status not in customers.RUNNING,
    )


def start_checkout(site: Site, plan: str, *, email: str, return_url: str, cancel_url: str) -> str:
    """The address of Stripe's page for a first payment. Raises `Problem`, `Unavailable`."""
    return customers.begin(site, plan, email=email, return_url=return_url, cancel_url=cancel_url)


def portal(site: Site, *, return_url: str) -> str:
    """The address of the Customer Portal. Raises `Problem` before the first subscription, `Unavailable`."""
    return customers.portal(site, return_url)


@desk.before_request
def _owners_only() -> None:
    if g.viewer.role is None:
        raise Problem("sign-in")
    if not g.viewer.role.at_least(Role.OWNER):
        raise Problem("forbidden", "Only owners decide about paying.")


@desk.post("/checkout")
def to_checkout() -> ResponseReturnValue:
    email = current_user.email
    plan = request.form.get("plan", "")
    return redirect(start_checkout(g.site, plan, email=email, return_url=_back(paid=True), cancel_url=_back()), 303)


@desk.post("/plan")
def to_plan() -> ResponseReturnValue:
    customers.change_plan(g.site, request.form.get("plan", ""))
    return redirect(_back(), 303)


@desk.post("/portal")
def to_portal() -> ResponseReturnValue:
    return redirect(portal(g.site, return_url=_back()), 303)


def _back(*, paid: bool = False) -> str:
    return request.host_url.rstrip("/") + BACK + ("?paid=1" if paid else "")
