"""The dashboard's forms. Each checks shape and length; the domain decides what is allowed."""

from collections.abc import Callable
from typing import Any

from flask import g
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Email, InputRequired, Length, Optional, ValidationError

from infra.errors import N_
from tenants import watermarks
from tenants.catalog import Ordering, Visibility
from tenants.people import Role
from tenants.privacy import Capture
from tenants.registry import Layout
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
ROLES = {
    Role.VIEWER.value: N_("Viewer"),
    Role.EDITOR.value: N_("Editor"),
    Role.ADMIN.value: N_("Admin"),
    Role.OWNER.value: N_("Owner"),
}
CAPTURES = {
    Capture.NONE.value: N_("Nothing"),
    Capture.CAMERA.value: N_("Camera and exposure"),
    Capture.DATE.value: N_("Camera, exposure and date"),
}
PLACES = {"no": N_("Not shown"), "yes": N_("Shown where the file has it")}
SCOPES = {"album": N_("This album"), "site": N_("Every album that is not private")}
LAYOUTS = {
    Layout.JUSTIFIED.value: N_("Justified rows"),
    Layout.MASONRY.value: N_("Masonry columns"),
    Layout.GRID.value: N_("Square grid"),
    Layout.STORY.value: N_("Story, one after another"),
}
MARKS = {"yes": N_("With the watermark"), "no": N_("Without it")}
AS_ALL = {"": N_("As for all albums")}


@bp.app_template_global()
def role_name(role: Role) -> str:
    """The role in the language of the page."""
    return str(gettext(ROLES[role.value]))


def stripped(value: str | None) -> str:
    return (value or "").strip()


def address_for_answer() -> Any:
    """The field for the address of a visitor who asks for something without an account."""
    valid = [Optional(), Length(max=254), Email(_("This is not an e-mail address."))]
    return EmailField(_("Your e-mail address, if you want an answer"), valid, filters=[stripped])


def said(choices: dict[Any, str]) -> Callable[[], dict[Any, str]]:
    """The choices in the language of the page."""
    return lambda: {value: str(gettext(label)) for value, label in choices.items()}


YES_NO = {"": None, "yes": True, "no": False}


def yes_no(value: bool | None) -> str:
    """The other way round."""
    return next(choice for choice, meant in YES_NO.items() if meant is value)


def has_mark(_form: object, field: SelectField) -> None:
    """Whoever is to see a watermark needs one: without it they would see no pictures at all."""
    if YES_NO.get(field.data) and watermarks.of(g.site) is None:
        raise ValidationError(gettext("There is no watermark yet. An admin makes it under “Watermark”."))


class SignIn(FlaskForm):
    email = EmailField(_("E-mail address"), [InputRequired(_("Enter your e-mail address.")), Length(max=254)])
    password = PasswordField(_("Password"), [InputRequired(_("Enter your password.")), Length(max=1024)])


class AlbumForm(FlaskForm):
    title = StringField(_("Title"), [DataRequired(_("An album needs a title.")), Length(max=200)], filters=[stripped])
    description = TextAreaField(_("Description"), [Length(max=5000)], filters=[stripped])
    visibility = RadioField(
        _("Who can see it"),
        choices=said(VISIBILITIES),
        default=Visibility.PRIVATE.value,
    )
    parent = SelectField(_("Inside of"), choices=[], validate_choice=False, default="")
    ordering = SelectField(_("Order"), choices=said(ORDERINGS), default=Ordering.CAPTURED.value)
    layout = SelectField(_("Layout"), choices=said({"": N_("As the brand says"), **LAYOUTS}), default="")
    originals = BooleanField(_("Visitors may download the originals"))
    capture = SelectField(_("Capture data"), choices=said({**AS_ALL, **CAPTURES}), default="")
    place = SelectField(_("Place on the map"), choices=said({**AS_ALL, **PLACES}), default="")
    marks = SelectField(_("Watermark"), [has_mark], choices=said({**AS_ALL, **MARKS}), default="")

    def fields(self) -> dict[str, Any]:
        """What the album's columns take."""
        return {
            "description": self.description.data,
            "visibility": Visibility(self.visibility.data),
            "layout": Layout(self.layout.data) if self.layout.data else None,
            "originals": self.originals.data,
            "capture": self.capture.data or None,
            "place": YES_NO[self.place.data],
            "marks": YES_NO[self.marks.data],
        }


class PrivacyForm(FlaskForm):
    capture = RadioField(_("Capture data"), choices=said(CAPTURES))
    place = BooleanField(_("Show where photos were taken"))


class EmbedForm(FlaskForm):
    origins = TextAreaField(_("Websites that may show it"), [Length(max=4000)], filters=[stripped])
    scope = RadioField(_("What they may show"), choices=said(SCOPES), default="album")
    label = StringField(_("Name"), [Length(max=120)], filters=[stripped])


class InvitationForm(FlaskForm):
    email = EmailField(_("E-mail address"), [InputRequired(_("Enter their e-mail address.")), Length(max=254)])
    role = SelectField(_("Role"), choices=said(ROLES), default=Role.EDITOR.value)


class DomainForm(FlaskForm):
    host = StringField(
        _("Domain"),
        [DataRequired(_("Enter a domain, like photos.example.com.")), Length(max=300)],
        filters=[stripped],
    )


class RoleForm(FlaskForm):
    role = SelectField(_("Role"), choices=said(ROLES))
