"""The form of a share link, for making one and for changing one."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, IntegerField, RadioField, SelectField, StringField
from wtforms.validators import Length, NumberRange, Optional, ValidationError

from infra.errors import N_
from tenants import sharing
from tenants.people import MIN_PASSWORD, hash_password
from tenants.sharing import MAX_PIN, MIN_PIN, Rights, ShareLink
from webapp.dashboard.forms import MARKS, YES_NO, has_mark, said, stripped, yes_no

DOWNLOADS = {
    "view": N_("Look only"),
    "web": N_("Download at the size of the screen"),
    "download": N_("Download the originals"),
}
ALLOWED = {"view": Rights.VIEW, "web": Rights.VIEW | Rights.WEB, "download": Rights.DOWNLOAD}
GUESTS = {
    "favourite": Rights.FAVOURITE,
    "comment": Rights.COMMENT,
    "select": Rights.SELECT,
    "upload": Rights.UPLOAD,
}
ON_A_DATE = -1
LIFETIMES = {
    0: N_("Never"),
    1: N_("In a day"),
    7: N_("In a week"),
    30: N_("In a month"),
    90: N_("In three months"),
    ON_A_DATE: N_("On a date"),
}
"""Days until a share link expires."""

MB = 1_000_000


def _number(label: str, most: int) -> IntegerField:
    message = _("A whole number from 1, or nothing.")
    return IntegerField(label, [Optional(), NumberRange(min=1, max=most, message=message)])


class ShareForm(FlaskForm):
    label = StringField(_("For whom"), [Length(max=120)], filters=[stripped])
    rights = RadioField(_("Photos"), choices=said(DOWNLOADS), default="view")
    marks = SelectField(_("Watermark"), [has_mark], choices=said({"": N_("As the album has it"), **MARKS}), default="")
    favourite = BooleanField(_("Mark favourites"))
    comment = BooleanField(_("Comment"))
    select = BooleanField(_("Hand in a selection"))
    upload = BooleanField(_("Add photos of their own"))
    asks_name = BooleanField(_("Ask for a name first"))
    lifetime = SelectField(_("Expires"), choices=said(LIFETIMES), coerce=int, default=0)
    until = DateField(_("Last day"), [Optional()])
    password = StringField(
        _("Password"),
        [
            Optional(),
            Length(min=MIN_PASSWORD, max=1024, message=_("At least %(num)d characters, or nothing.", num=MIN_PASSWORD)),
        ],
    )
    no_password = BooleanField(_("Remove the password"))
    pin = StringField(_("PIN for downloads"), [Optional()], filters=[stripped])
    no_pin = BooleanField(_("Remove the PIN"))
    max_visits = _number(_("Visits at most"), 1_000_000)
    choose_at_most = _number(_("Photos in a selection"), 10_000)
    upload_files = _number(_("Files in all"), 100_000)
    upload_mb = _number(_("Megabytes in all"), 10_000_000)

    def validate_pin(self, field: StringField) -> None:
        pin = field.data
        if pin and not (pin.isascii() and pin.isdigit() and MIN_PIN <= len(pin) <= MAX_PIN):
            raise ValidationError(_("A PIN has %(least)d to %(most)d digits.", least=MIN_PIN, most=MAX_PIN))

    def validate_until(self, field: DateField) -> None:
        if self.lifetime.data == ON_A_DATE and field.data is None:
            raise ValidationError(_("Pick the last day."))

    def validate_lifetime(self, field: SelectField) -> None:
        if field.data == ON_A_DATE and self.until.data is None:
            # `Optional` ends the date's own checks when it is empty.
            self.until.errors = [_("Pick the last day.")]
            raise ValidationError(_("Pick the last day."))

    def terms(self, now: datetime) -> dict[str, Any]:
        """What the link's columns take, secrets left out."""
        return {
            "label": self.label.data,
            "rights": self._rights(),
            "marks": YES_NO[self.marks.data],
            "asks_name": self.asks_name.data,
            "expires_at": self._expiry(now),
            "max_visits": self.max_visits.data,
            "choose_at_most": self.choose_at_most.data,
            "upload_files": self.upload_files.data,
            "upload_bytes": self.upload_mb.data * MB if self.upload_mb.data else None,
        }

    def secrets(self) -> dict[str, Any]:
        """Hashes to be stored; what stays as it is is left out. Takes long on purpose: not within a transaction."""
        changed: dict[str, Any] = {}
        if self.no_password.data or self.password.data:
            changed["password_hash"] = hash_password(self.password.data) if self.password.data else None
        if self.no_pin.data or self.pin.data:
            changed["pin_hash"] = sharing.hash_pin(self.pin.data) if self.pin.data else None
        return changed

    def _rights(self) -> Rights:
        rights = ALLOWED[self.rights.data]
        for name, right in GUESTS.items():
            if self[name].data:
                rights |= right
        return rights

    def _expiry(self, now: datetime) -> datetime | None:
        if self.lifetime.data == ON_A_DATE:
            # To the end of that day, everywhere on Earth west of Greenwich it is a little early: UTC.
            return datetime.combine(self.until.data, time(), UTC) + timedelta(days=1)
        return now + timedelta(days=self.lifetime.data) if self.lifetime.data else None


def shown(link: ShareLink) -> dict[str, object]:
    """The form's fields as the link has them."""
    rights = link.rights
    return {
        "label": link.label,
        "rights": "download" if Rights.ORIGINAL in rights else "web" if Rights.WEB in rights else "view",
        **{name: right in rights for name, right in GUESTS.items()},
        "marks": yes_no(link.marks),
        "asks_name": link.asks_name,
        "lifetime": ON_A_DATE if link.expires_at else 0,
        "until": (link.expires_at - timedelta(seconds=1)).date() if link.expires_at else None,
        "max_visits": link.max_visits,
        "choose_at_most": link.choose_at_most,
        "upload_files": link.upload_files,
        "upload_mb": link.upload_bytes // MB if link.upload_bytes else None,
    }
