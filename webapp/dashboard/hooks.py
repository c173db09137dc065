"""Webhooks: made, listed with their deliveries, switched off and on, deleted; a message sent anew or to try it out."""

from flask import Response, g, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy import func, select
from wtforms import SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from infra.errors import N_, Problem
from infra.sql import reading
from tenants import webhooks
from tenants.names import is_id
from tenants.people import Role
from tenants.webhooks import MAX_URL, DeliveryState, Event, WebhookDelivery, WebhookEndpoint
from webapp.auth import require
from webapp.dashboard.answers import done
from webapp.dashboard.forms import said, stripped
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.language import told

MOST_DELIVERIES = 100
EVENTS = {
    Event.ALBUM_CREATED.value: N_("An album was created"),
    Event.ALBUM_CHANGED.value: N_("An album's title, visibility or another setting was changed"),
    Event.ALBUM_PUBLISHED.value: N_("An album can be seen by visitors"),
    Event.ALBUM_DELETED.value: N_("An album went into the trash"),
    Event.ASSET_READY.value: N_("A photo or video is processed"),
    Event.ASSET_REJECTED.value: N_("A file was refused"),
    Event.ASSET_DELETED.value: N_("A photo or video went into the trash"),
    Event.SHARE_CREATED.value: N_("A share link was made"),
    Event.SHARE_REVOKED.value: N_("A share link was revoked"),
}
STATES = {
    DeliveryState.PENDING: N_("Waiting"),
    DeliveryState.DELIVERED: N_("Delivered"),
    DeliveryState.FAILED: N_("Given up"),
}


class WebhookForm(FlaskForm):
    url = StringField(
        _("Address"),
        [DataRequired(_("Enter an address that begins with https://.")), Length(max=MAX_URL)],
        filters=[stripped],
    )
    label = StringField(_("Name"), [Length(max=120)], filters=[stripped])
    events = SelectMultipleField(
        _("What it is told of"),
        [DataRequired(_("Choose at least one."))],
        choices=said(EVENTS),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        default=[Event.ALBUM_PUBLISHED.value, Event.ASSET_READY.value],
    )


@bp.route("/webhooks", methods=["GET", "POST"])
@require(Role.ADMIN)
def hooks() -> ResponseReturnValue:
    form = WebhookForm()
    made = _create(form) if form.validate_on_submit() else None
    if made:
        form = WebhookForm(formdata=None)
    with reading():
        page = render_template(
            "dashboard/hooks.html",
            form=form,
            made=made,
            hooks=list(reversed(webhooks.of_tenant(g.site))),
            failing=_failing(),
        )
    response: Response = make_response(page, 422 if form.errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _create(form: WebhookForm) -> str | None:
    """The secret, or None with the form's error set."""
    events = [Event(value) for value in form.events.data]
    try:
        _endpoint, secret = webhooks.create(g.site, form.url.data, events, label=form.label.data)
    except Problem as problem:
        g.site.session.rollback()
        form.url.errors = [told(problem)]
        return None
    note("webhook.made", about=form.url.data)
    g.site.session.commit()
    return secret


def _failing() -> dict[str, int]:
    """By webhook, how many messages wait after a failed attempt or were given up."""
    bad = (WebhookDelivery.state != DeliveryState.DELIVERED, WebhookDelivery.last_at.is_not(None))
    counted = select(WebhookDelivery.endpoint_id, func.count()).where(*bad).group_by(WebhookDelivery.endpoint_id)
    return {row[0]: row[1] for row in g.site.session.execute(counted)}


@bp.get("/webhooks/<webhook_id>")
@require(Role.ADMIN)
def hook(webhook_id: str) -> ResponseReturnValue:
    found = _hook(webhook_id)
    rows = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == found.id).order_by(WebhookDelivery.id.desc())
    return render_template(
        "dashboard/hook.html",
        hook=found,
        deliveries=list(g.site.session.scalars(rows.limit(MOST_DELIVERIES))),
        states=STATES,
        most=MOST_DELIVERIES,
    )


@bp.post("/webhooks/<webhook_id>/ping")
@require(Role.ADMIN)
def ping_hook(webhook_id: str) -> ResponseReturnValue:
    found = _hook(webhook_id)
    if found.disabled_at is not None:
        raise Problem("conflict", gettext("This webhook is off. Switch it on first."))
    webhooks.publish(g.site, Event.PING, {}, only=found)
    note("webhook.tried", about=found.url)
    return done(gettext("A test message is on its way."), back=url_for("dashboard.hook", webhook_id=webhook_id))


@bp.post("/webhooks/<webhook_id>/switch")
@require(Role.ADMIN)
def switch_hook(webhook_id: str) -> ResponseReturnValue:
    found = _hook(webhook_id)
    webhooks.switch(g.site, found, found.disabled_at is not None)
    note("webhook.switched", about=found.url, on=found.disabled_at is None)
    said_so = gettext("The webhook is off.") if found.disabled_at else gettext("The webhook is on.")
    return done(said_so, back=url_for("dashboard.hook", webhook_id=webhook_id))


@bp.post("/webhooks/<webhook_id>/delete")
@require(Role.ADMIN)
def delete_hook(webhook_id: str) -> ResponseReturnValue:
    found = _hook(webhook_id)
    note("webhook.deleted", about=found.url)
    g.site.session.delete(found)
    return done(gettext("The webhook is deleted."), back=url_for("dashboard.hooks"))


@bp.post("/webhooks/<webhook_id>/deliveries/<delivery_id>/replay")
@require(Role.ADMIN)
def replay_hook(webhook_id: str, delivery_id: str) -> ResponseReturnValue:
    found = _hook(webhook_id)
    row: WebhookDelivery | None = (
        g.site.session.get(WebhookDelivery, (g.site.tenant_id, delivery_id)) if is_id(delivery_id) else None
    )
    if row is None or row.endpoint_id != found.id:
        raise Problem("not-found")
    webhooks.replay(g.site, row)
    note("webhook.sent", about=found.url)
    return done(gettext("The message is sent again."), back=url_for("dashboard.hook", webhook_id=webhook_id))


def _hook(webhook_id: str) -> WebhookEndpoint:
    found: WebhookEndpoint | None = (
        g.site.session.get(WebhookEndpoint, (g.site.tenant_id, webhook_id)) if is_id(webhook_id) else None
    )
    if found is None:
        raise Problem("not-found")
    return found
