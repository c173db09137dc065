"""Tokens of the API: made, listed, revoked. What a token is is shown once, on the answer to the form."""

from datetime import timedelta

from flask import Response, g, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from infra.errors import N_, Problem
from infra.sql import reading
from tenants import api_tokens, delivery, purges
from tenants.api_tokens import MAX_NAME, ApiToken, Scope
from tenants.names import is_id
from tenants.people import Role
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.forms import said, stripped
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.language import told

SCOPES = {
    Scope.ALBUMS_READ.value: N_("See albums, photos and videos, private ones too, and search"),
    Scope.ALBUMS_WRITE.value: N_("Create, change and delete albums, photos and videos"),
    Scope.SHARES_READ.value: N_("See share links and their addresses"),
    Scope.SHARES_WRITE.value: N_("Create and revoke share links"),
    Scope.UPLOADS_WRITE.value: N_("Upload into albums"),
    Scope.USAGE_READ.value: N_("See usage and limits"),
    Scope.WEBHOOKS_READ.value: N_("See webhooks and their deliveries"),
    Scope.WEBHOOKS_WRITE.value: N_("Create, change and delete webhooks"),
}
LIFETIMES = {
    30: N_("In 30 days"),
    90: N_("In 90 days"),
    365: N_("In a year"),
    0: N_("Never"),
}
"""Days until a token runs out."""


class TokenForm(FlaskForm):
    name = StringField(_("Name"), [DataRequired(_("A token needs a name.")), Length(max=MAX_NAME)], filters=[stripped])
    scopes = SelectMultipleField(
        _("What it may do"),
        [DataRequired(_("Choose at least one."))],
        choices=said(SCOPES),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        default=[Scope.ALBUMS_READ.value],
    )
    lifetime = SelectField(_("Expires"), choices=said(LIFETIMES), coerce=int, default=90)


@bp.route("/api", methods=["GET", "POST"])
@require(Role.ADMIN)
def tokens() -> ResponseReturnValue:
    form = TokenForm()
    made = _create(form) if form.validate_on_submit() else None
    if made:
        form = TokenForm(formdata=None)
    with reading():
        now = g.site.now()
        page = render_template(
            "dashboard/tokens.html",
            form=form,
            made=made,
            tokens=api_tokens.living(g.site.session, now),
            now=now,
            scopes=SCOPES,
        )
    response: Response = make_response(page, 422 if form.errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _create(form: TokenForm) -> str | None:
    """The token, or None with the form's error set."""
    days = form.lifetime.data
    try:
        _row, token = api_tokens.create(
            g.site.session,
            g.site.tenant_id,
            form.name.data,
            [Scope(value) for value in form.scopes.data],
            made_by=current_user.email,
            now=g.site.now(),
            lifetime=timedelta(days=days) if days else None,
        )
    except Problem as problem:
        g.site.session.rollback()
        form.name.errors = [told(problem)]
        return None
    note("token.made", about=form.name.data, scopes=", ".join(form.scopes.data))
    g.site.session.commit()
    return token


@bp.post("/api/tokens/<token_id>/revoke")
@require(Role.ADMIN)
def revoke_token(token_id: str) -> ResponseReturnValue:
    token: ApiToken | None = g.site.session.get(ApiToken, (g.site.tenant_id, token_id)) if is_id(token_id) else None
    if token is None or token.revoked_at is not None:
        raise Problem("not-found")
    token.revoked_at = g.site.now()
    purges.close(g.site, delivery.by_token(token.id))
    note("token.revoked", about=token.name)
    return done(gettext("“%(name)s” opens nothing any more.", name=token.name), back=url_for("dashboard.tokens"))
