"""All tenants, with how they are and what they cost this month; and a new one."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import EmailField, StringField
from wtforms.validators import DataRequired, Length, Optional

from infra.errors import Problem
from infra.sql import reading
from tenants import directory, invitations, margins, registry
from tenants.db import db
from tenants.directory import Entry
from tenants.margins import Margins
from tenants.people import Role
from tenants.registry import TenantState
from tenants.scope import enter, settings
from webapp.dashboard.forms import stripped
from webapp.language import told
from webapp.operator.mount import bp, note, now, signed_in

A_PAGE = 50


class TenantForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    slug = StringField(lazy("Sub-domain"), [DataRequired(), Length(max=63)], filters=[stripped])
    name = StringField(lazy("Name"), [Length(max=120)], filters=[stripped])
    owner = EmailField(lazy("First owner's e-mail address"), [Optional(), Length(max=254)], filters=[stripped])


@bp.get("/tenants")
def tenants() -> ResponseReturnValue:
    query, after = request.args.get("q", "").strip()[:200], request.args.get("after", "")[:63]
    asked = request.args.get("state", "")
    state = TenantState(asked) if asked in {each.value for each in TenantState} else None
    with reading():
        found = directory.find(db.session(), query, state, after=after, limit=A_PAGE)
        return render_template(
            "operator/tenants.html",
            found=found,
            query=query,
            state=state,
            states=list(TenantState),
            after=after,
            margins=this_month(found.entries),
        )


def this_month(entries: tuple[Entry, ...] | list[Entry]) -> Margins | None:
    """Of these tenants; None where prices and plans cannot be brought together."""
    only = {entry.tenant.id for entry in entries}
    try:
        return margins.of_app().margins(db.session(), now().year, now().month, now(), only=only)
    except Problem:
        return None


@bp.route("/tenants/new", methods=["GET", "POST"])
def new_tenant() -> ResponseReturnValue:
    """With an invitation for its first owner, whose address is shown once."""
    form = TenantForm()
    if form.validate_on_submit():
        try:
            tenant_id, address = _create(form.slug.data, form.name.data, form.owner.data)
        except Problem as problem:
            db.session.rollback()
            wrong = form.owner if problem.extra.get("field") == "email" else form.slug
            wrong.errors = [told(problem)]
        else:
            flash(_("The tenant is made."))
            if address:
                flash(_("Its first owner joins at %(address)s. This address is not shown again.", address=address))
            return redirect(url_for("operator.tenant", tenant_id=tenant_id), 303)
    page = render_template("operator/new_tenant.html", form=form, base=settings().base_domain)
    return page, 422 if form.errors else 200


def _create(slug: str, name: str, owner: str) -> tuple[str, str]:
    """Its id, and where the first owner joins. Commits. Raises `Problem`, having made nothing."""
    session = db.session()
    made = registry.create(session, slug, name, now=now())
    site, tenant_id, address = enter(made), made.id, ""
    if owner:
        _made, token = invitations.invite(session, tenant_id, owner, Role.OWNER, signed_in(), now=now())
        host = settings().site_url(f"{slug}.{settings().base_domain}")
        address = f"{host}{url_for('dashboard.join', token=token)}"
    note("tenant.create", tenant=site.tenant_id, subject=slug, owner=owner)
    session.commit()
    return tenant_id, address
