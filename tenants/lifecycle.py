"""How the operator closes a tenant, opens it again, and ends it.

ACTIVE -> READ_ONLY (members change nothing, visitors see what is there) -> SUSPENDED (a neutral page for everybody) and
back; DELETED is closed as well, and after `Tenant.delete_after` what it has may be erased for good. Each change is made
within the current transaction.
"""

from datetime import datetime, timedelta

from infra.errors import Problem
from tenants import purges
from tenants.registry import Tenant, TenantState
from tenants.scope import Site

GRACE = timedelta(days=30)
"""For which a deleted tenant can be restored."""
NOTICE = timedelta(days=7)
"""From read-only to the neutral page, unless the operator says otherwise."""


def suspend(site: Site, notice: timedelta) -> None:
    """Read-only now, the neutral page after `notice`; at once for none. Raises `Problem` for a deleted tenant."""
    tenant = site.tenant
    _live(tenant)
    if notice > timedelta():
        tenant.state, tenant.closes_at = TenantState.READ_ONLY, site.now() + notice
    else:
        _close(site)


def restore(site: Site) -> None:
    """As before it was suspended or deleted. What its bill says of it stays."""
    site.tenant.state, site.tenant.closes_at, site.tenant.delete_after = TenantState.ACTIVE, None, None


def delete(site: Site, grace: timedelta = GRACE) -> None:
    """Closed now, to be erased after `grace`. Raises `Problem` for one that is deleted already: its date stands."""
    _live(site.tenant)
    _close(site)
    site.tenant.state, site.tenant.delete_after = TenantState.DELETED, site.now() + grace


def close_if_due(site: Site) -> bool:
    """SUSPENDED, if the notice is over; whether this call did it. Commits."""
    tenant = site.tenant
    if tenant.state is not TenantState.READ_ONLY or tenant.closes_at is None or tenant.closes_at > site.now():
        return False
    _close(site)
    site.session.commit()
    return True


def is_to_be_erased(tenant: Tenant, now: datetime) -> bool:
    return tenant.state is TenantState.DELETED and tenant.delete_after is not None and tenant.delete_after <= now


def _close(site: Site) -> None:
    site.tenant.state, site.tenant.closes_at = TenantState.SUSPENDED, None
    purges.close_all(site)


def _live(tenant: Tenant) -> None:
    if tenant.state is TenantState.DELETED:
        raise Problem("conflict", "This tenant is deleted. Restore it first.")
