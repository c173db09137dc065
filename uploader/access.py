"""From the request's ticket to a Site."""

from flask import request
from structlog.contextvars import bind_contextvars

from infra.errors import Problem
from infra.sql import reading
from tenants import contributions, registry, tickets
from tenants.db import across_tenants, db
from tenants.registry import TenantState
from tenants.scope import Site, enter, ports, secret
from tenants.tickets import Ticket

_SERVED = (TenantState.ACTIVE, TenantState.READ_ONLY)


def ticket() -> Ticket:
    """The valid ticket of the request, from `Authorization: Bearer` (RFC 6750, section 2.1). Asks no database."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            "bad-ticket", "Send the upload ticket as `Authorization: Bearer`.", headers={"WWW-Authenticate": "Bearer"}
        )
    found = tickets.check(secret(), token.strip(), now=ports().clock.now())
    bind_contextvars(tenant=found.tenant, album=found.album)
    return found


def site(of: Ticket) -> Site:
    """The Site of a ticket's tenant, bound to the session. To be called in the DATABASE lane.

    A guest's ticket is worth no more than its link is at this moment: 410 once that is revoked or over.
    """
    session = db.session()
    with reading(), across_tenants(session, "look up the tenant of a ticket"):
        tenant = registry.by_id(session, of.tenant)
        if of.link:
            contributions.open_link(session, of.tenant, of.link, ports().clock.now())
    session.rollback()
    if tenant is None or tenant.state not in _SERVED:
        raise Problem("not-found", "The account of this ticket is not available.")
    return enter(tenant)


def members_only(of: Ticket) -> None:
    """Raises 403 for a guest's ticket: what the tenant has is not a guest's to ask about."""
    if of.link:
        raise Problem("forbidden", "Guests send their files whole.")
