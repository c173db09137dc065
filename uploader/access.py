"""From the request's ticket to a Site."""

from flask import request
from structlog.contextvars import bind_contextvars

from infra.errors import Problem
from infra.sql import reading
from tenants import registry, tickets
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
    """The Site of a ticket's tenant, bound to the session. To be called in the DATABASE lane."""
    session = db.session()
    with reading(), across_tenants(session, "look up the tenant of a ticket"):
        tenant = registry.by_id(session, of.tenant)
    session.rollback()
    if tenant is None or tenant.state not in _SERVED:
        raise Problem("not-found", "The account of this ticket is not available.")
    return enter(tenant)
