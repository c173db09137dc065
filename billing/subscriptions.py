"""Subscriptions to what a tenant may do.

A webhook is only a reason to look: `refresh` reads the customer's subscriptions as they are now. So events may come
twice, late and in any order. Two readings at once are told apart by numbers that are taken before Stripe is asked:
whatever made Stripe send an event had happened before that event's reading began, so the reading with the highest
number has seen it, and one with a lower number never overwrites it.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import delete, update

from billing import terms
from billing.accounts import BillingAccount, Subscription
from billing.plans import DEFAULT, PLANS
from billing.stripe_gateway import Snapshot, StripeGateway
from tenants.registry import Standing
from tenants.scope import Site, open_site

log = structlog.get_logger(__name__)

STANDING = {
    "trialing": Standing.GOOD,
    "active": Standing.GOOD,
    "past_due": Standing.OVERDUE,
    "unpaid": Standing.UNPAID,
    "paused": Standing.UNPAID,
    "canceled": Standing.FROZEN,
}
"""By Stripe's status. `incomplete` and `incomplete_expired` are of a checkout that came to nothing."""
_ENDED = "canceled"


class ForeignCustomer(Exception):
    """Stripe has something of one tenant under the customer of another. Nothing is changed."""


def refresh(gateway: StripeGateway, tenant_id: str) -> bool:
    """Read the tenant's subscriptions from Stripe and apply them. False if a later reading was applied meanwhile.

    Raises `ForeignCustomer`, and `Unavailable` while Stripe does not answer.
    """
    with open_site(tenant_id) as site:
        found = site.session.execute(
            update(BillingAccount)
            .where(BillingAccount.tenant_id == tenant_id)
            .values(asked=BillingAccount.asked + 1)
            .returning(BillingAccount.customer, BillingAccount.asked)
        ).one()
        site.session.commit()
    customer, number = found
    snapshots = gateway.subscriptions(customer)
    for each in snapshots:
        if each.tenant not in ("", tenant_id):
            raise ForeignCustomer(f"{each.id} of {each.tenant} is under {customer} of {tenant_id}")
    with open_site(tenant_id) as site:
        return _apply(site, number, snapshots)


def _apply(site: Site, number: int, snapshots: Sequence[Snapshot]) -> bool:
    newest = site.session.execute(
        update(BillingAccount)
        .where(BillingAccount.tenant_id == site.tenant_id, BillingAccount.applied < number)
        .values(applied=number)
    )
    if not newest.rowcount:  # type: ignore[attr-defined]
        return False
    site.session.execute(delete(Subscription).where(Subscription.tenant_id == site.tenant_id))
    for each in snapshots:
        site.session.add(_row(site, each))
    governing = governing_of(snapshots)
    standing = STANDING[governing.status] if governing else Standing.GOOD
    _assign(site, governing)
    if standing is not site.tenant.standing:
        log.info("standing", tenant=site.tenant_id, was=site.tenant.standing.value, now=standing.value)
        site.tenant.standing = standing
    site.session.commit()
    return True


def _assign(site: Site, governing: Snapshot | None) -> None:
    """The plan follows the subscription, from this hour on; one that ended leaves the plan that costs nothing."""
    if governing is None:
        return
    code = DEFAULT.code if governing.status == _ENDED else governing.plan
    if code in PLANS and code != terms.plan_at(site.session, site.tenant_id, site.now()).code:
        terms.assign(site, code)


def governing_of(snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """The subscription that counts: one that runs rather than one that ended, and the newest of those.

    None without any, which is a tenant that never subscribed.
    """
    known = [each for each in snapshots if each.status in STANDING]
    return max(known, key=lambda each: (each.status != _ENDED, each.created_at, each.id), default=None)


def _row(site: Site, each: Snapshot) -> Subscription:
    return Subscription(
        tenant_id=site.tenant_id,
        id=each.id,
        plan=each.plan,
        status=each.status,
        created_at=each.created_at,
        trial_end=each.trial_end,
        period_start=each.period_start,
        period_end=each.period_end,
        ends_with_period=each.ends_with_period,
        read_at=site.now(),
    )
