"""The form with which a visitor tells the operator of something that should not be on a tenant's pages."""

from flask import g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import RadioField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from infra.errors import N_
from tenants import abuse
from tenants.abuse import Reason
from tenants.catalog import Album, Asset
from webapp import canonical
from webapp.dashboard.forms import address_for_answer, said, stripped
from webapp.limits import limiter, visitor
from webapp.site.blueprint import album_or_404, asset_or_404, site

REASONS = {
    Reason.COPYRIGHT.value: N_("It is my work, or somebody else's, and was not to be published"),
    Reason.CONSENT.value: N_("It shows me or somebody else who did not agree"),
    Reason.CHILD.value: N_("It endangers a child"),
    Reason.HATE.value: N_("It calls for hatred or violence"),
    Reason.OTHER.value: N_("Something else"),
}


class ReportForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    reason = RadioField(lazy("What is wrong with it"), [InputRequired(lazy("Choose one."))], choices=said(REASONS))
    text = TextAreaField(
        lazy("Tell us more"),
        [DataRequired(lazy("Say in a sentence or two what is wrong.")), Length(max=5000)],
        filters=[stripped],
    )
    email = address_for_answer()


@site.route("/a/<slug>/report", methods=["GET", "POST"])
@limiter.limit(
    "5 per hour", key_func=visitor, methods=["POST"], deduct_when=lambda response: response.status_code < 400
)
@limiter.limit("30 per hour", key_func=visitor, methods=["POST"])
def report(slug: str) -> ResponseReturnValue:
    """Of the album, or of the photo in it that `photo` names: only what the visitor can see."""
    album = album_or_404(slug)
    asset = asset_or_404(album, request.args["photo"]) if "photo" in request.args else None
    form = ReportForm()
    if form.validate_on_submit():
        _keep(form, album, asset)
        return redirect(f"/a/{album.slug}/report/thanks", 303)
    page = render_template("site/report.html", form=form, album=album, asset=asset, csrf_wanted=True)
    return page, 422 if form.errors else 200


@site.get("/a/<slug>/report/thanks")
def reported(slug: str) -> str:
    text = _("Your report has arrived. Somebody looks at it; if you left an address, you get an answer there.")
    return render_template("site/thanks.html", album=album_or_404(slug), title=_("Report"), text=text)


def _keep(form: ReportForm, album: Album, asset: Asset | None) -> None:
    address = canonical.photo_url(album, asset.id) if asset else canonical.album_url(album)
    abuse.report(g.site, album, asset, address, Reason(form.reason.data), form.text.data, form.email.data or "")
