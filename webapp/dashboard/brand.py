"""The brand: name, words, colour, typeface, theme, logo."""

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from infra.errors import Problem
from tenants.people import Role
from tenants.registry import Brand, Font, Tenant, Theme
from webapp.auth import require
from webapp.dashboard import accent, logo
from webapp.dashboard.answers import done
from webapp.dashboard.forms import BrandForm
from webapp.dashboard.mount import bp
from webapp.language import told


@bp.route("/brand", methods=["GET", "POST"])
@require(Role.ADMIN)
def brand() -> ResponseReturnValue:
    form = BrandForm(data=_shown(g.site.tenant))
    suggestion = None
    if form.validate_on_submit():
        theme = Theme(form.theme.data)
        if not accent.usable(form.accent.data, theme):
            suggestion = accent.suggestion(form.accent.data, theme)
            form.accent.errors = [
                _("People could hardly read or find this colour. How about %(colour)s?", colour=suggestion)
            ]
        elif _saved(form, theme):
            return done(_("The brand is saved."), back=url_for("dashboard.brand"))
    return render_template("dashboard/brand.html", form=form, suggestion=suggestion), 422 if form.errors else 200


def _saved(form: BrandForm, theme: Theme) -> bool:
    """Change the brand within the transaction; False, with the form's error set, if the logo is refused."""
    g.site.session.rollback()  # A picture is decoded and stored now: not while holding SQLite's write lock.
    kept = None
    if form.logo.data:
        try:
            kept = logo.store(g.site, form.logo.data.stream)
        except Problem as problem:
            form.logo.errors = [told(problem)]
            return False
    tenant: Tenant = g.site.session.get_one(Tenant, g.site.tenant_id)
    brand: Brand = tenant.brand
    tenant.name = form.name.data
    brand.tagline = form.tagline.data
    brand.accent = form.accent.data
    brand.font = Font(form.font.data)
    brand.theme = theme
    if form.remove_logo.data:
        brand.logo_sha256 = brand.logo_type = None
    if kept is not None:
        brand.logo_sha256, brand.logo_type = kept
    return True


def _shown(tenant: Tenant) -> dict[str, object]:
    return {
        "name": tenant.name,
        "tagline": tenant.brand.tagline,
        "accent": tenant.brand.accent,
        "font": tenant.brand.font.value,
        "theme": tenant.brand.theme.value,
    }
