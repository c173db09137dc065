"""The form with which somebody who is in a photo asks the tenant to hide it."""

from flask import g, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from tenants import hiding
from tenants.guests import MAX_NAME
from webapp.dashboard.forms import address_for_answer, stripped
from webapp.limits import limiter, visitor
from webapp.site.blueprint import album_or_404, asset_or_404, site


class HideForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    name = StringField(lazy("Your name"), [Optional(), Length(max=MAX_NAME)], filters=[stripped])
    email = address_for_answer()
    text = TextAreaField(
        lazy("Where you are in it, and anything else they should know"),
        [DataRequired(lazy("Say where you are in the photo.")), Length(max=hiding.MAX_TEXT)],
        filters=[stripped],
    )


@site.route("/a/<slug>/<asset_id>/hide-me", methods=["GET", "POST"])
@limiter.limit(
    "10 per hour", key_func=visitor, methods=["POST"], deduct_when=lambda response: response.status_code < 400
)
@limiter.limit("60 per hour", key_func=visitor, methods=["POST"])
def hide_me(slug: str, asset_id: str) -> ResponseReturnValue:
    album = album_or_404(slug)
    asset = asset_or_404(album, asset_id)
    form = HideForm()
    if form.validate_on_submit():
        hiding.ask(g.site.session, asset, form.name.data or "", form.email.data or "", form.text.data, now=g.site.now())
        g.site.session.commit()
        return redirect(f"/a/{album.slug}/hide-me/thanks", 303)
    page = render_template("site/hide_me.html", form=form, album=album, asset=asset, csrf_wanted=True)
    return page, 422 if form.errors else 200


@site.get("/a/<slug>/hide-me/thanks")
def hide_asked(slug: str) -> str:
    text = _("%(site)s has your request and looks at it.", site=g.site.tenant.name)
    return render_template("site/thanks.html", album=album_or_404(slug), title=_("Hide me"), text=text)
