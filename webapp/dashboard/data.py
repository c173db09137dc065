"""All that the tenant has: taken along as one archive, and removed for good."""

from flask import Response, g, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import AnyOf, InputRequired

from infra.errors import N_, Problem
from infra.sql import reading
from tenants import erasure, exports
from tenants.exports import ExportState
from tenants.people import Role
from tenants.scope import secret, settings
from webapp import entry
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.forms import stripped
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.download.routes import amount
from webapp.limits import limiter
from webapp.site.sending import send_blob

TOLD = {
    ExportState.WAITING: N_("Waiting for a worker"),
    ExportState.WORKING: N_("Being made"),
    ExportState.READY: N_("Ready"),
    ExportState.FAILED: N_("Failed"),
    ExportState.GONE: N_("No longer kept"),
}


class EraseForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    slug = StringField(lazy("Name of the account"), filters=[stripped])
    current = PasswordField(lazy("Your password"), [InputRequired(lazy("Enter your current password."))])

    def __init__(self, slug: str) -> None:
        super().__init__()
        self.slug.validators = [AnyOf([slug], lazy("That is another name. Nothing was changed."))]


@bp.get("/data")
@require(Role.ADMIN)
def data() -> ResponseReturnValue:
    return _page(EraseForm(g.site.tenant.slug))


@bp.get("/data/progress")
@require(Role.ADMIN)
def data_progress() -> str:
    """The list of archives as a fragment, for the page's script while one is being made."""
    return render_template("dashboard/_exports.html", made=exports.latest(g.site.session), told=TOLD)


@bp.post("/data/export")
@limiter.limit("10 per day")
@require(Role.ADMIN)
def ask_export() -> ResponseReturnValue:
    exports.ask(g.site)
    note("data.export")
    return done(
        _("The archive is being made. You can leave this page; it is kept for %(days)s days.", days=exports.KEPT.days),
        back=url_for("dashboard.data"),
    )


@bp.get("/data/archives/<token>")
def archive(token: str) -> Response:
    """The archive that the token is for: whoever has the token may fetch it, with a download tool and no session."""
    found = exports.opened_by(g.site.session, secret(), g.site.tenant_id, token, g.site.now())
    if found is None:
        raise Problem("not-found", _("This address is over. The page “Your data” has a new one."))
    return send_blob(
        g.site.blobs,
        exports.key_of(found),
        content_type="application/zip",
        cache="private, no-store",
        download_as=f"{g.site.tenant.slug}-{found.created_at:%Y-%m-%d}.zip",
    )


@bp.app_template_global()
def archive_url(export: exports.Export) -> str:
    return url_for("dashboard.archive", token=exports.mint(secret(), export, g.site.now()))


@bp.post("/data/erase")
@limiter.limit("20 per hour")
@require(Role.OWNER)
def erase_account() -> ResponseReturnValue:
    """Closes the site at once. Until the grace is over members look around, take everything along, or keep it."""
    form = EraseForm(g.site.tenant.slug)
    if not form.validate_on_submit():
        return _page(form)
    if not entry.knows_password(form.current.data):
        form.current.errors = [_("This is not your current password.")]
        return _page(form)
    erasure.ask(g.site, "owner")
    note("data.erase")
    return done(_("The site is closed, and will be erased."), back=url_for("dashboard.data"))


@bp.post("/data/keep")
@require(Role.OWNER)
def keep_account() -> ResponseReturnValue:
    """Undo that, while there is time. What the operator has closed only the operator opens again."""
    pending = erasure.pending(g.site.session, g.site.tenant_id)
    if pending is not None and pending.asked_by != "owner":
        raise Problem("forbidden", "Whoever runs this server has closed this account. Ask them.")
    erasure.undo(g.site)
    note("data.keep")
    return done(_("The account stays, and the site is open again."), back=url_for("dashboard.data"))


bp.add_app_template_global(amount, "amount_of")


def _page(form: EraseForm) -> ResponseReturnValue:
    with reading():
        page = render_template(
            "dashboard/data.html",
            form=form,
            made=exports.latest(g.site.session),
            told=TOLD,
            pending=erasure.pending(g.site.session, g.site.tenant_id),
            grace=settings().erasure_grace_days,
            backups=settings().backup_days,
        )
    return page, 422 if form.errors else 200
