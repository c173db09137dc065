"""The dashboard's forms. Each checks shape and length; the domain decides what is allowed."""

import re
from collections.abc import Callable
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, EmailField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError

from infra.errors import N_
from tenants.catalog import Ordering, Visibility
from tenants.people import MIN_PASSWORD, Role
from tenants.registry import Font, Theme
from tenants.sharing import Rights
from webapp.dashboard.mount import bp

VISIBILITIES = {
    Visibility.PRIVATE.value: N_("Private"),
    Visibility.UNLISTED.value: N_("Unlisted"),
    Visibility.PUBLIC.value: N_("Public"),
}
ORDERINGS = {
    Ordering.CAPTURED.value: N_("Capture time, oldest first"),
    Ordering.NAME.value: N_("File name"),
    Ordering.MANUAL.value: N_("By hand"),
}
RIGHTS = {Rights.VIEW.value: N_("View"), Rights.DOWNLOAD.value: N_("View and download originals")}
THEMES = {
    Theme.AUTO.value: N_("As the visitor prefers"),
    Theme.LIGHT.value: N_("Always light"),
    Theme.DARK.value: N_("Always dark"),
}
FONTS = {
    Font.SANS.value: N_("Sans"),
    Font.SERIF.value: N_("Serif"),
    Font.ROUNDED.value: N_("Rounded"),
    Font.MONO.value: N_("Mono"),
}
ROLES = {
    Role.VIEWER.value: N_("Viewer"),
    Role.EDITOR.value: N_("Editor"),
    Role.ADMIN.value: N_("Admin"),
    Role.OWNER.value: N_("Owner"),
}
LIFETIMES = {0: N_("Never"), 1: N_("In a day"), 7: N_("In a week"), 30: N_("In a month"), 90: N_("In three months")}
"""Days until a share link expires."""


_TOO_SHORT_OR_NONE = _("At least %(least)s characters, or leave it empty.", least=MIN_PASSWORD)
_HEX = re.compile(r"#[0-9a-f]{6}")


@bp.app_template_global()
def role_name(role: Role) -> str:
    """The role in the language of the page."""
    return str(gettext(ROLES[role.value]))


def _stripped(value: str | None) -> str:
    return (value or "").strip()


def _said(choices: dict[Any, str]) -> Callable[[], dict[Any, str]]:
    """The choices in the language of the page."""
    return lambda: {value: str(gettext(label)) for value, label in choices.items()}


class SignIn(FlaskForm):
    email = EmailField(_("E-mail address"), [InputRequired(_("Enter your e-mail address.")), Length(max=254)])
    password = PasswordField(_("Password"), [InputRequired(_("Enter your password.")), Length(max=1024)])


class AlbumForm(FlaskForm):
    title = StringField(_("Title"), [DataRequired(_("An album needs a title.")), Length(max=200)], filters=[_stripped])
    description = TextAreaField(_("Description"), [Length(max=5000)], filters=[_stripped])
    visibility = RadioField(
        _("Who can see it"),
        choices=_said(VISIBILITIES),
        default=Visibility.PRIVATE.value,
    )
    parent = SelectField(_("Inside of"), choices=[], validate_choice=False, default="")
    ordering = SelectField(_("Order"), choices=_said(ORDERINGS), default=Ordering.CAPTURED.value)
    originals = BooleanField(_("Visitors may download the originals"))

    def fields(self) -> dict[str, object]:
        """What the album's columns take."""
        return {
            "description": self.description.data,
            "visibility": Visibility(self.visibility.data),
            "originals": self.originals.data,
        }


class ShareForm(FlaskForm):
    label = StringField(_("For whom"), [Length(max=120)], filters=[_stripped])
    rights = RadioField(
        _("What they may do"),
        choices=_said(RIGHTS),
        default=Rights.VIEW.value,
    )
    lifetime = SelectField(_("Expires"), choices=_said(LIFETIMES), coerce=int, default=0)
    password = StringField(
        _("Password"),
        [
            Optional(),
            Length(
                min=MIN_PASSWORD,
                max=1024,
                message=_TOO_SHORT_OR_NONE,
            ),
        ],
    )


class BrandForm(FlaskForm):
    name = StringField(_("Name"), [DataRequired(_("Your brand needs a name.")), Length(max=120)], filters=[_stripped])
    tagline = StringField(_("Tagline"), [Length(max=200)], filters=[_stripped])
    accent = StringField(_("Accent colour"), filters=[lambda value: _stripped(value).lower()])
    font = RadioField(_("Typeface"), choices=_said(FONTS))
    theme = RadioField(
        _("Theme"),
        choices=_said(THEMES),
    )
    logo = FileField(_("Logo"))
    remove_logo = BooleanField(_("Remove the logo"))

    def validate_accent(self, field: StringField) -> None:
        if not _HEX.fullmatch(field.data):
            raise ValidationError(gettext("Write the colour as # and six digits, like #3a5a78."))


class MemberForm(FlaskForm):
    email = EmailField(_("E-mail address"), [InputRequired(_("Enter their e-mail address.")), Length(max=254)])
    name = StringField(_("Name"), [Length(max=120)], filters=[_stripped])
    role = SelectField(_("Role"), choices=_said(ROLES), default=Role.EDITOR.value)
    password = PasswordField(
        _("First password"),
        [
            InputRequired(_("Give them a password to sign in with.")),
            Length(min=MIN_PASSWORD, max=1024, message=_("At least %(least)s characters.", least=MIN_PASSWORD)),
        ],
    )


class RoleForm(FlaskForm):
    role = SelectField(_("Role"), choices=_said(ROLES))


class PasswordForm(FlaskForm):
    current = PasswordField(_("Current password"), [InputRequired(_("Enter your current password."))])
    password = PasswordField(
        _("New password"),
        [
            InputRequired(_("Enter a new password.")),
            Length(min=MIN_PASSWORD, max=1024, message=_("At least %(least)s characters.", least=MIN_PASSWORD)),
        ],
    )
