"""One tenant: how it is, and what the operator can do to it."""

from datetime import timedelta

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from infra.errors import Problem
from infra.sql import reading
from tenants import directory, domains, features, lifecycle, operator_log, purges, support
from tenants.claims import DomainClaim
from tenants.db import db
from tenants.directory import Entry
from tenants.features import Feature
from tenants.names import is_id
from tenants.scope import Site, open_site, secret, settings
from webapp import headers
from webapp.operator.mount import bp, done, note, now, reason, signed_in
from webapp.operator.tenants import this_month

NOTICES = {0: timedelta(), 1: timedelta(days=1), 7: timedelta(days=7), 30: timedelta(days=30)}
"""Days from read-only to the neutral page."""


@bp.get("/tenants/<tenant_id>")
def tenant(tenant_id: str) -> ResponseReturnValue:
    entry = _entry(tenant_id)
    with reading(), open_site(tenant_id) as site:
        claims = site.session.scalars(select(DomainClaim).order_by(DomainClaim.host)).all()
        grant = support.live(site.session, site.now())
        shown = {
            "claims": [(claim.host, domains.shown(claim.host), claim.state.value, claim.reason) for claim in claims],
            "switches": features.of_tenant(site.session, tenant_id),
            "grant": grant and (grant.role, grant.granted_by, grant.expires_at),
            "origin": settings().site_url(domains.canonical_host(site.session, site.tenant, settings().base_domain)),
        }
        entries = operator_log.latest(site.session, 20, tenant=tenant_id)
        months = this_month([entry])
        margin = months.tenants[0] if months and months.tenants else None
        return render_template(
            "operator/tenant.html",
            entry=entry,
            margin=margin,
            currency=months.currency if months else "",
            log=entries,
            names=features.NAMES,
            notices=sorted(NOTICES),
            grace=lifecycle.GRACE.days,
            **shown,
        )


@bp.post("/tenants/<tenant_id>/suspend")
def suspend(tenant_id: str) -> ResponseReturnValue:
    """Read-only now, the neutral page after as many days as `notice` says."""
    entry, why = _entry(tenant_id), reason()
    notice = NOTICES.get(request.form.get("notice", type=int, default=7))
    if notice is None:
        raise Problem("invalid", "Choose how long visitors still see the site.", field="notice")
    with open_site(tenant_id) as site:
        lifecycle.suspend(site, notice)
        return _acted(site, entry, "tenant.suspend", _("The tenant is suspended."), why=why, days=notice.days)


@bp.post("/tenants/<tenant_id>/restore")
def restore(tenant_id: str) -> ResponseReturnValue:
    entry = _entry(tenant_id)
    with open_site(tenant_id) as site:
        before = site.tenant.state.value
        lifecycle.restore(site)
        return _acted(site, entry, "tenant.restore", _("The tenant is open again."), before=before)


@bp.post("/tenants/<tenant_id>/delete")
def delete(tenant_id: str) -> ResponseReturnValue:
    """Whoever deletes types its sub-domain: no slip of a finger names it."""
    entry, why = _entry(tenant_id), reason()
    if request.form.get("slug", "").strip() != entry.tenant.slug:
        raise Problem("invalid", "Type the tenant's sub-domain to delete it.", field="slug")
    with open_site(tenant_id) as site:
        lifecycle.delete(site)
        until = site.tenant.delete_after
        assert until is not None
        return _acted(
            site,
            entry,
            "tenant.delete",
            _("The tenant is closed. It can be restored until %(day)s.", day=f"{until:%Y-%m-%d}"),
            why=why,
            until=until.isoformat(),
        )


@bp.post("/tenants/<tenant_id>/features/<name>")
def switch_for_tenant(tenant_id: str, name: str) -> ResponseReturnValue:
    """`to`: `on`, `off`, or empty for as everybody has it."""
    entry, feature = _entry(tenant_id), feature_named(name)
    to = request.form.get("to", "")
    if to not in ("on", "off", ""):
        raise Problem("invalid", "Say on, off, or nothing.", field="to")
    with open_site(tenant_id) as site:
        features.switch_for(site.session, tenant_id, feature, {"on": True, "off": False, "": None}[to])
        return _acted(site, entry, "feature.switch", _("Switched."), feature=name, to=to)


@bp.post("/tenants/<tenant_id>/support")
def enter_dashboard(tenant_id: str) -> ResponseReturnValue:
    """To the tenant's dashboard, if it let support in: a page whose form carries a pass there, so that it is in no
    address and no log."""
    entry = _entry(tenant_id)
    with open_site(tenant_id) as site:
        grant = support.live(site.session, now())
        if grant is None:
            raise Problem("forbidden", "This tenant lets no support in at the moment. Ask it to, under “Support”.")
        given = support.mint(secret(), grant, signed_in())
        host = domains.canonical_host(site.session, site.tenant, settings().base_domain)
        note("support.enter", tenant=tenant_id, subject=entry.tenant.slug, grant=grant.id, role=grant.role.value)
        site.session.commit()
    origin = settings().site_url(host)
    headers.allow("form-action", origin)
    return render_template("operator/to_support.html", entry=entry, origin=origin, given=given)


def feature_named(name: str) -> Feature:
    try:
        return Feature(name)
    except ValueError:
        raise Problem("not-found") from None


def _entry(tenant_id: str) -> Entry:
    with reading():
        found = directory.one(db.session(), tenant_id) if is_id(tenant_id) else None
        db.session.rollback()
    if found is None:
        raise Problem("not-found")
    return found


def _acted(site: Site, entry: Entry, action: str, message: str, **detail: object) -> ResponseReturnValue:
    """Written down and committed; what the edge has of a tenant that is closed by it is dropped at once."""
    note(action, tenant=site.tenant_id, subject=entry.tenant.slug, **detail)
    answer = done(message, url_for("operator.tenant", tenant_id=site.tenant_id))
    purges.send_all()
    return answer
