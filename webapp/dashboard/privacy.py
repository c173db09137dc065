"""What the site tells of photos besides their pictures."""

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from tenants import audit
from tenants.people import Role
from tenants.registry import Tenant
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.forms import PrivacyForm
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note


@bp.route("/privacy", methods=["GET", "POST"])
@require(Role.ADMIN)
def privacy() -> ResponseReturnValue:
    form = PrivacyForm(data={"capture": g.site.tenant.capture, "place": g.site.tenant.place})
    if form.validate_on_submit():
        tenant: Tenant = g.site.session.get_one(Tenant, g.site.tenant_id)
        was = audit.snapshot(tenant)
        tenant.capture, tenant.place = form.capture.data, form.place.data
        note("privacy.changed", was=was, row=tenant)
        return done(_("Saved. Pages show no more than this from now on."), back=url_for("dashboard.privacy"))
    return render_template("dashboard/privacy.html", form=form), 422 if form.errors else 200
