"""What members of every tenant read on top of their dashboards."""

from datetime import UTC

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import DateTimeLocalField, RadioField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from infra.errors import N_, Problem
from infra.sql import reading
from tenants import announcements as told_to_all
from tenants.announcements import LONGEST, Announcement, Level
from tenants.db import db
from webapp.dashboard.forms import said, stripped
from webapp.language import told
from webapp.operator.mount import bp, done, note, now, signed_in

LEVELS = {Level.INFO.value: N_("News"), Level.WARNING.value: N_("Warning")}
SHOWN = 50


class AnnouncementForm(FlaskForm):  # type: ignore[misc]  # the library has no types
    text = TextAreaField(lazy("Text"), [DataRequired(), Length(max=LONGEST)], filters=[stripped])
    level = RadioField(lazy("Kind"), choices=said(LEVELS), default=Level.INFO.value)
    starts_at = DateTimeLocalField(lazy("From (UTC)"), [Optional()])
    ends_at = DateTimeLocalField(lazy("Until (UTC)"), [Optional()])


@bp.route("/announcements", methods=["GET", "POST"])
def announcements() -> ResponseReturnValue:
    form = AnnouncementForm()
    if form.validate_on_submit():
        starts, ends = form.starts_at.data, form.ends_at.data
        try:
            made = told_to_all.publish(
                db.session(),
                form.text.data,
                Level(form.level.data),
                signed_in(),
                starts_at=starts.replace(tzinfo=UTC) if starts else now(),
                ends_at=ends.replace(tzinfo=UTC) if ends else None,
            )
        except Problem as problem:
            form[problem.extra.get("field", "text")].errors = [told(problem)]
        else:
            note("announcement.publish", subject=made.id, text=made.text, level=made.level.value)
            return done(_("Members read it from then on."), url_for("operator.announcements"))
    with reading():
        found = told_to_all.latest(db.session(), SHOWN)
        page = render_template("operator/announcements.html", form=form, found=found, now=now())
    return page, 422 if form.errors else 200


@bp.post("/announcements/<announcement_id>/end")
def end_announcement(announcement_id: str) -> ResponseReturnValue:
    found = db.session.get(Announcement, announcement_id)
    if found is None:
        raise Problem("not-found")
    told_to_all.end(found, now())
    note("announcement.end", subject=found.id, text=found.text)
    return done(_("Nobody sees it any more."), url_for("operator.announcements"))
