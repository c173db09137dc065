"""What is on and off for everybody."""

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from infra.errors import Problem
from infra.sql import reading
from tenants import features as switches
from tenants.db import across_tenants, db
from tenants.features import TenantFeature
from tenants.registry import Tenant
from webapp.operator.mount import bp, done, note
from webapp.operator.tenant import feature_named


@bp.get("/features")
def features() -> ResponseReturnValue:
    session = db.session()
    with reading():
        with across_tenants(session, "tenants for which a feature differs"):
            rows = session.execute(
                select(TenantFeature, Tenant)
                .join(Tenant, Tenant.id == TenantFeature.tenant_id)
                .order_by(TenantFeature.name, Tenant.slug)
            ).all()
        return render_template(
            "operator/features.html",
            everywhere=switches.everywhere(session),
            names=switches.NAMES,
            differing=[(row[0], row[1]) for row in rows],
        )


@bp.post("/features/<name>")
def switch(name: str) -> ResponseReturnValue:
    feature, to = feature_named(name), request.form.get("to", "")
    if to not in ("on", "off"):
        raise Problem("invalid", "Say on or off.", field="to")
    note("feature.switch", subject=name, to=to)
    switches.switch(db.session(), feature, to == "on")
    return done(_("Switched."), url_for("operator.features"))
