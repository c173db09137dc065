"""The dashboard's forms. Each checks shape and length; the domain decides what is allowed."""

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, EmailField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from tenants.catalog import Ordering, Visibility
from tenants.people import MIN_PASSWORD, Role
from tenants.privacy import Capture
from tenants.registry import Font, Theme

VISIBILITIES = {visibility.value: visibility.value.title() for visibility in reversed(Visibility)}
ORDERINGS = {
    Ordering.CAPTURED.value: "Capture time, oldest first",
    Ordering.NAME.value: "File name",
    Ordering.MANUAL.value: "By hand",
}
THEMES = {
    Theme.AUTO.value: "As the visitor prefers",
    Theme.LIGHT.value: "Always light",
    Theme.DARK.value: "Always dark",
}
FONTS = {font.value: font.value.title() for font in Font}
CAPTURES = {
    Capture.NONE.value: _l("Nothing"),
    Capture.CAMERA.value: _l("Camera and exposure"),
    Capture.DATE.value: _l("Camera, exposure and date"),
}
PLACES = {"no": _l("Not shown"), "yes": _l("Shown where the file has it")}
AS_ALL = {"": _l("As for all albums")}
ROLES = {role.value: role.value.title() for role in Role}


_HEX = re.compile(r"#[0-9a-f]{6}")


def said(choices: Mapping[Any, str]) -> dict[str, str]:
    """Choices in the language of the request."""
    return {str(key): str(name) for key, name in choices.items()}


def stripped(value: str | None) -> str:
    return (value or "").strip()


class SignIn(FlaskForm):
    email = EmailField("E-mail address", [InputRequired("Enter your e-mail address."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Enter your password."), Length(max=1024)])


class AlbumForm(FlaskForm):
    title = StringField("Title", [DataRequired("An album needs a title."), Length(max=200)], filters=[stripped])
    description = TextAreaField("Description", [Length(max=5000)], filters=[stripped])
    visibility = RadioField(
        "Who can see it",
        choices=VISIBILITIES,
        default=Visibility.PRIVATE.value,
    )
    ordering = SelectField("Order", choices=ORDERINGS, default=Ordering.CAPTURED.value)
    originals = BooleanField("Visitors may download the originals")
    capture = SelectField(_l("Capture data"), choices=lambda: said({**AS_ALL, **CAPTURES}), default="")
    place = SelectField(_l("Place on the map"), choices=lambda: said({**AS_ALL, **PLACES}), default="")

    def fields(self) -> dict[str, object]:
        """What the album's columns take."""
        return {
            "description": self.description.data,
            "visibility": Visibility(self.visibility.data),
            "originals": self.originals.data,
            "capture": self.capture.data or None,
            "place": {"yes": True, "no": False}.get(self.place.data),
        }


class PrivacyForm(FlaskForm):
    capture = RadioField(_l("Capture data"), choices=lambda: said(CAPTURES))
    place = BooleanField(_l("Show where photos were taken"))


class BrandForm(FlaskForm):
    name = StringField("Name", [DataRequired("Your brand needs a name."), Length(max=120)], filters=[stripped])
    tagline = StringField("Tagline", [Length(max=200)], filters=[stripped])
    accent = StringField("Accent colour", filters=[lambda value: stripped(value).lower()])
    font = RadioField("Typeface", choices=FONTS)
    theme = RadioField(
        "Theme",
        choices=THEMES,
    )
    logo = FileField("Logo")
    remove_logo = BooleanField("Remove the logo")

    def validate_accent(self, field: StringField) -> None:
        if not _HEX.fullmatch(field.data):
            raise ValidationError("Write the colour as # and six digits, like #3a5a78.")


class MemberForm(FlaskForm):
    email = EmailField("E-mail address", [InputRequired("Enter their e-mail address."), Length(max=254)])
    name = StringField("Name", [Length(max=120)], filters=[stripped])
    role = SelectField("Role", choices=ROLES, default=Role.EDITOR.value)
    password = PasswordField(
        "First password",
        [
            InputRequired("Give them a password to sign in with."),
            Length(min=MIN_PASSWORD, max=1024, message=f"At least {MIN_PASSWORD} characters."),
        ],
    )


class RoleForm(FlaskForm):
    role = SelectField("Role", choices=ROLES)


class PasswordForm(FlaskForm):
    current = PasswordField("Current password", [InputRequired("Enter your current password.")])
    password = PasswordField(
        "New password",
        [
            InputRequired("Enter a new password."),
            Length(min=MIN_PASSWORD, max=1024, message=f"At least {MIN_PASSWORD} characters."),
        ],
    )
