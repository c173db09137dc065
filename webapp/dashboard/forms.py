"""The dashboard's forms. Each checks shape and length; the domain decides what is allowed."""

from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from tenants.catalog import Ordering, Visibility
from tenants.people import MIN_PASSWORD, Role
from tenants.registry import Layout
from tenants.sharing import Rights

VISIBILITIES = {visibility.value: visibility.value.title() for visibility in reversed(Visibility)}
ORDERINGS = {
    Ordering.CAPTURED.value: "Capture time, oldest first",
    Ordering.NAME.value: "File name",
    Ordering.MANUAL.value: "By hand",
}
RIGHTS = {Rights.VIEW.value: "View", Rights.DOWNLOAD.value: "View and download originals"}
LAYOUTS = {
    Layout.JUSTIFIED.value: "Justified rows",
    Layout.MASONRY.value: "Masonry columns",
    Layout.GRID.value: "Square grid",
    Layout.STORY.value: "Story, one after another",
}
ROLES = {role.value: role.value.title() for role in Role}
LIFETIMES = {0: "Never", 1: "In a day", 7: "In a week", 30: "In a month", 90: "In three months"}
"""Days until a share link expires."""


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
    layout = SelectField("Layout", choices={"": "As the brand says", **LAYOUTS}, default="")
    originals = BooleanField("Visitors may download the originals")

    def fields(self) -> dict[str, object]:
        """What the album's columns take."""
        return {
            "description": self.description.data,
            "visibility": Visibility(self.visibility.data),
            "layout": Layout(self.layout.data) if self.layout.data else None,
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
