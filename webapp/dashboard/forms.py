"""The dashboard's forms. Each checks shape and length; the domain decides what is allowed."""

import re

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, EmailField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError

from tenants.catalog import Ordering, Visibility
from tenants.people import MIN_PASSWORD, Role
from tenants.registry import Font, Theme
from tenants.sharing import Rights

VISIBILITIES = {visibility.value: visibility.value.title() for visibility in reversed(Visibility)}
ORDERINGS = {
    Ordering.CAPTURED.value: "Capture time, oldest first",
    Ordering.NAME.value: "File name",
    Ordering.MANUAL.value: "By hand",
}
RIGHTS = {Rights.VIEW.value: "View", Rights.DOWNLOAD.value: "View and download originals"}
THEMES = {
    Theme.AUTO.value: "As the visitor prefers",
    Theme.LIGHT.value: "Always light",
    Theme.DARK.value: "Always dark",
}
FONTS = {font.value: font.value.title() for font in Font}
ROLES = {role.value: role.value.title() for role in Role}
LIFETIMES = {0: "Never", 1: "In a day", 7: "In a week", 30: "In a month", 90: "In three months"}
"""Days until a share link expires."""


_HEX = re.compile(r"#[0-9a-f]{6}")


def _stripped(value: str | None) -> str:
    return (value or "").strip()


class SignIn(FlaskForm):
    email = EmailField("E-mail address", [InputRequired("Enter your e-mail address."), Length(max=254)])
    password = PasswordField("Password", [InputRequired("Enter your password."), Length(max=1024)])


class AlbumForm(FlaskForm):
    title = StringField("Title", [DataRequired("An album needs a title."), Length(max=200)], filters=[_stripped])
    description = TextAreaField("Description", [Length(max=5000)], filters=[_stripped])
    visibility = RadioField(
        "Who can see it",
        choices=VISIBILITIES,
        default=Visibility.PRIVATE.value,
    )
    ordering = SelectField("Order", choices=ORDERINGS, default=Ordering.CAPTURED.value)
    originals = BooleanField("Visitors may download the originals")

    def fields(self) -> dict[str, object]:
        """What the album's columns take."""
        return {
            "description": self.description.data,
            "visibility": Visibility(self.visibility.data),
            "originals": self.originals.data,
        }


class ShareForm(FlaskForm):
    label = StringField("For whom", [Length(max=120)], filters=[_stripped])
    rights = RadioField(
        "What they may do",
        choices=RIGHTS,
        default=Rights.VIEW.value,
    )
    lifetime = SelectField("Expires", choices=LIFETIMES, coerce=int, default=0)
    password = StringField(
        "Password",
        [
            Optional(),
            Length(min=MIN_PASSWORD, max=1024, message=f"At least {MIN_PASSWORD} characters, or leave it empty."),
        ],
    )


class BrandForm(FlaskForm):
    name = StringField("Name", [DataRequired("Your brand needs a name."), Length(max=120)], filters=[_stripped])
    tagline = StringField("Tagline", [Length(max=200)], filters=[_stripped])
    accent = StringField("Accent colour", filters=[lambda value: _stripped(value).lower()])
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
    name = StringField("Name", [Length(max=120)], filters=[_stripped])
    role = SelectField("Role", choices=ROLES, default=Role.EDITOR.value)
    password = PasswordField(
        "First password",
        [
            InputRequired("Give them a password to sign in with."),
            Length(min=MIN_PASSWORD, max=1024, message=f"At least {MIN_PASSWORD} characters."),
        ],
    )


class DomainForm(FlaskForm):
    host = StringField(
        _l("Domain"),
        [DataRequired(_l("Enter a domain, like photos.example.com.")), Length(max=300)],
        filters=[_stripped],
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
