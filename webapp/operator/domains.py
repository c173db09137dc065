"""Domains of tenants that do not work."""

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from infra.sql import reading
from tenants import claims, directory, doctor, domains, registry
from tenants.claims import DomainClaim
from tenants.db import db
from tenants.names import is_id
from tenants.scope import open_site
from webapp.operator.mount import bp, done, note, now

SHOWN = 200


@bp.get("/domains")
def broken_domains() -> ResponseReturnValue:
    with reading():
        found = [
            (claim, tenant, domains.shown(claim.host), doctor.MESSAGES.get(claim.reason, claim.reason))
            for claim, tenant in directory.broken_domains(db.session(), SHOWN)
        ]
        return render_template("operator/domains.html", found=found)


@bp.post("/domains/<tenant_id>/<host>/retry")
def retry_domain(tenant_id: str, host: str) -> ResponseReturnValue:
    """The loop of `domains check` looks at it next."""
    if not is_id(tenant_id):
        raise Problem("not-found")
    if registry.by_id(db.session(), tenant_id) is None:
        raise Problem("not-found")
    with open_site(tenant_id) as site:
        claim = site.session.get(DomainClaim, (tenant_id, host))
        if claim is None:
            raise Problem("not-found")
        claims.retry(claim, now())
        note("domain.retry", tenant=tenant_id, subject=host)
        return done(_("It is looked at again within a minute."), url_for("operator.broken_domains"))
