"""The brand: words, language, colours, typefaces, layout, links, own CSS, logo and icon; and its live preview."""

from dataclasses import dataclass

from flask import Response, g, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from infra.errors import Problem
from infra.sql import reading
from tenants import audit
from tenants.people import Role
from tenants.registry import Brand, Tenant, Theme
from webapp import headers, language
from webapp.auth import require
from webapp.brand import palette
from webapp.brand.css import Dropped, sanitised
from webapp.dashboard import brand_sample, logo
from webapp.dashboard.answers import done
from webapp.dashboard.brand_form import COLOURS, PAIRS, BrandForm, fill, shown
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note


@dataclass(frozen=True)
class Kept:
    """Pictures that were stored for this form; None where none was sent."""

    logo: tuple[str, str] | None
    icon: str | None


@bp.route("/brand", methods=["GET", "POST"])
@require(Role.ADMIN)
def brand() -> ResponseReturnValue:
    form = BrandForm(data=shown(g.site.tenant))
    _take_suggestion(form)
    suggestions: dict[str, str] = {}
    if form.validate_on_submit():
        suggestions = _refuse(form)
        if not form.errors and (kept := _pictures(form)) is not None:
            _save(form, kept)
            return done(_saved(form.css.data), back=url_for("dashboard.brand"))
    headers.allow("frame-src", "'self'")
    page = render_template(
        "dashboard/brand.html",
        form=form,
        suggestions=suggestions,
        presets=palette.PRESETS,
        dropped=[_left_out(one) for one in _dropped(form.css.data)],
    )
    return page, 422 if form.errors else 200


@bp.route("/brand/preview", methods=["GET", "POST"])
@require(Role.ADMIN)
def brand_preview() -> Response:
    """A page of the site with the form's values, saved or not; what is wrong keeps its saved value.

    Shown in a frame of the brand's page and nowhere else. Nothing is written.
    """
    notes: list[tuple[str, str]] = []
    with reading():
        tenant: Tenant = g.site.tenant
        form = BrandForm(data=shown(tenant))
        if tenant in g.site.session:
            g.site.session.expunge(tenant)  # From here on a value, which no flush can write.
        if form.is_submitted():
            form.validate()
            fill(form, tenant, but=form.errors.keys())
            notes = [*_complaints(form), *_settle(tenant.brand)]
        notes += [("css", _left_out(one)) for one in _dropped(form.css.data)]
        page = render_template("dashboard/brand_preview.html", preview=True, notes=notes, **brand_sample.shown())
    response = make_response(page)
    headers.allow("frame-ancestors", "'self'")
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _take_suggestion(form: BrandForm) -> None:
    """A suggestion's button sends `take=accent:#3a5a78` beside the whole form: it works without scripts."""
    name, _, value = request.form.get("take", "").partition(":")
    if name in COLOURS:
        form[name].data = value


def _refuse(form: BrandForm) -> dict[str, str]:
    """Set an error on every colour that is refused; the suggestions by field."""
    draft = Brand(
        **{name: form[name].data or None for name in COLOURS},
        theme=Theme(form.theme.data),
    )
    suggestions = {}
    for refusal in palette.refusals(draft):
        how_about = ""
        if refusal.suggestion:
            suggestions[refusal.field] = refusal.suggestion
            how_about = " " + _("How about %(colour)s?", colour=refusal.suggestion)
        form[refusal.field].errors = [_told(refusal) + how_about]
    return suggestions


def _settle(brand: Brand) -> list[tuple[str, str]]:
    """Show suggestions in the place of refused colours; what was said of them."""
    notes = []
    for _round in PAIRS:  # The accent is judged once paper and ink are settled.
        for refusal in palette.refusals(brand):
            if refusal.suggestion:
                shown_here = _("Shown here: %(colour)s.", colour=refusal.suggestion)
                notes.append((refusal.field, f"{_told(refusal)} {shown_here}"))
                setattr(brand, refusal.field, refusal.suggestion)
    return notes


def _told(refusal: palette.Refusal) -> str:
    return str(_(refusal.said, **refusal.values))


def _complaints(form: BrandForm) -> list[tuple[str, str]]:
    return [(name, str(form[name].errors[0])) for name in ("name", *COLOURS) if form[name].errors]


def _pictures(form: BrandForm) -> Kept | None:
    """Store what was sent; None, with the form's error set, if a picture is refused."""
    g.site.session.rollback()  # Pictures are decoded and stored now: not while holding SQLite's write lock.
    kept_logo = kept_icon = None
    try:
        if form.logo.data:
            kept_logo = logo.store(g.site, form.logo.data.stream)
        if form.icon.data:
            kept_icon = logo.store_icon(g.site, form.icon.data.stream)
        elif kept_logo and not g.site.tenant.brand.icon_sha256:
            kept_icon = logo.icon_of_logo(g.site, kept_logo[0])
    except Problem as problem:
        form[problem.extra["field"]].errors = [language.told(problem)]
        return None
    return Kept(kept_logo, kept_icon)


def _save(form: BrandForm, kept: Kept) -> None:
    tenant: Tenant = g.site.session.get_one(Tenant, g.site.tenant_id)
    was, looked = audit.snapshot(tenant), audit.snapshot(tenant.brand)
    fill(form, tenant)
    if form.remove_logo.data:
        tenant.brand.logo_sha256 = tenant.brand.logo_type = None
    if kept.logo is not None:
        tenant.brand.logo_sha256, tenant.brand.logo_type = kept.logo
    if form.remove_icon.data:
        tenant.brand.icon_sha256 = None
    if kept.icon is not None:
        tenant.brand.icon_sha256 = kept.icon
    changed = audit.difference(was, tenant) | audit.difference(looked, tenant.brand)
    note("brand.changed", about=tenant.name, changed=changed)


def _dropped(css: str | None) -> tuple[Dropped, ...]:
    return sanitised(css or "")[1]


def _left_out(one: Dropped) -> str:
    why = _(one.sentence, **one.values)
    return str(_("Line %(line)d: “%(what)s” is left out: %(why)s.", line=one.line, what=one.what, why=why))


def _saved(css: str) -> str:
    count = len(_dropped(css))
    if not count:
        return str(_("The brand is saved."))
    return str(
        ngettext(
            "The brand is saved. %(num)d part of your CSS is left out: see below the field.",
            "The brand is saved. %(num)d parts of your CSS are left out: see below the field.",
            count,
        )
    )
