"""What the dashboard's pages do about paying: functions for them, and the routes that lead to Stripe's own pages.

    POST /dashboard/billing/checkout  plan=CODE   a first payment: 303 to Checkout
    POST /dashboard/billing/plan      plan=CODE   another plan for the running subscription: 303 back
    POST /dashboard/billing/portal                cards, invoices, cancelling: 303 to the Customer Portal

They are the owner's, need a form token like every form, and work while the site is read-only or frozen: paying is the
way out of that.
"""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, g, redirect, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from billing import backend, customers
from billing.terms import plan_at
from infra.errors import Problem
from tenants import registry
from tenants.people import Role
from tenants.scope import Site

desk = Blueprint("billing", __name__, url_prefix="/dashboard/billing")

BACK = "/dashboard/"
"""Where Stripe sends people back to, on the site they came from."""


@dataclass(frozen=True)
class Standing:
    """What a page tells about paying. `status` is Stripe's word, empty for a tenant that never subscribed."""

    standing: registry.Standing
    plan: str
    status: str
    trial_end: datetime | None
    period_end: datetime | None
    ends_with_period: bool
    can_subscribe: bool
    """No subscription runs, so Checkout is the way; else the plan is changed and the portal is there."""


def standing(site: Site) -> Standing:
    """As last read from Stripe; asks nobody."""
    found = customers.current(site)
    plan = plan_at(site.session, site.tenant_id, site.now()).code
    if found is None:
        return Standing(site.entitlements.standing, plan, "", None, None, False, backend.uses_stripe())
    runs = found.status in customers.RUNNING
    return Standing(
        standing=site.entitlements.standing,
        plan=plan,
        status=found.status,
        trial_end=found.trial_end,
        period_end=found.period_end,
        ends_with_period=found.ends_with_period,
        can_subscribe=backend.uses_stripe() and not runs,
    )


def start_checkout(site: Site, plan: str, *, email: str, return_url: str) -> str:
    """The address of Stripe's page for a first payment. Raises `Problem`, `Unavailable`."""
    return customers.begin(site, plan, email=email, return_url=return_url)


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
    return redirect(start_checkout(g.site, request.form.get("plan", ""), email=email, return_url=_back()), 303)


@desk.post("/plan")
def to_plan() -> ResponseReturnValue:
    customers.change_plan(g.site, request.form.get("plan", ""))
    return redirect(_back(), 303)


@desk.post("/portal")
def to_portal() -> ResponseReturnValue:
    return redirect(portal(g.site, return_url=_back()), 303)


def _back() -> str:
    return request.host_url.rstrip("/") + BACK
