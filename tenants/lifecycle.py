"""How the operator closes a tenant, opens it again, and ends it.

ACTIVE -> READ_ONLY (members change nothing, visitors see what is there) -> SUSPENDED (a neutral page for everybody) and
back; DELETED is closed as well, and at `Tenant.delete_after` what it has is erased for good (`erasure.py`). Each change
is made within the current transaction.
"""

from datetime import timedelta

from infra.errors import Problem
from tenants import erasure, purges
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
    """As before it was suspended or deleted; what its bill says of it stays. Raises `Problem` once erasing began."""
    if erasure.pending(site.session, site.tenant_id) is not None:
        erasure.undo(site)
    site.tenant.state, site.tenant.closes_at = TenantState.ACTIVE, None


def delete(site: Site, grace: timedelta = GRACE) -> None:
    """Closed now, to be erased after `grace`. Raises `Problem` for one that is deleted already, whose date stands, and
    while a plan is being paid for."""
    _live(site.tenant)
    erasure.ask(site, "operator", grace)


def close_if_due(site: Site) -> bool:
    """SUSPENDED, if the notice is over; whether this call did it. Commits."""
    tenant = site.tenant
    if tenant.state is not TenantState.READ_ONLY or tenant.closes_at is None or tenant.closes_at > site.now():
        return False
    _close(site)
    site.session.commit()
    return True


def _close(site: Site) -> None:
    site.tenant.state, site.tenant.closes_at = TenantState.SUSPENDED, None
    purges.close_all(site)


def _live(tenant: Tenant) -> None:
    if tenant.state is TenantState.DELETED:
        raise Problem("conflict", "This tenant is deleted. Restore it first.")
