"""The form of the watermark."""

from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, IntegerRangeField, RadioField, StringField
from wtforms.validators import Length, NumberRange, ValidationError

from infra.errors import N_
from tenants.mark_layout import Position
from tenants.registry import Tenant
from tenants.watermarks import Source, Watermark
from webapp.brand import mark
from webapp.dashboard.forms import said, stripped

SOURCES = {
    Source.TEXT.value: N_("Words"),
    Source.LOGO.value: N_("Your logo"),
    Source.PICTURE.value: N_("A picture of its own"),
}
POSITIONS = {
    Position.CORNER.value: N_("In the corner"),
    Position.CENTRE.value: N_("In the middle"),
    Position.TILED.value: N_("All over the picture"),
}
SIZES, OPACITIES = (5, 100), (10, 100)
"""Percent."""


def lacking(characters: str) -> str:
    told = gettext("The typefaces here have no “%(characters)s”. Send the words as a picture.", characters=characters)
    return str(told)


class LookForm(FlaskForm):
    """What a mark looks like: all that the preview needs."""

    source = RadioField(_("What it is"), choices=said(SOURCES), default=Source.TEXT.value)
    text = StringField(_("What it says"), [Length(max=60)], filters=[stripped])
    position = RadioField(_("Where it lies"), choices=said(POSITIONS), default=Position.CORNER.value)
    size = IntegerRangeField(_("Size"), [NumberRange(*SIZES)])
    opacity = IntegerRangeField(_("Opacity"), [NumberRange(*OPACITIES)])

    class Meta:
        csrf = False  # It is read from a query and changes nothing.

    def validate_text(self, field: StringField) -> None:
        if characters := mark.unknown(field.data):
            raise ValidationError(lacking(characters))

    def look(self) -> dict[str, Any]:
        """The query of the preview: what is wrong is left to what is saved."""
        names = ("source", "text", "position", "size", "opacity")
        return {name: self[name].data for name in names if not self[name].errors and self[name].data is not None}


class WatermarkForm(LookForm):
    marks = BooleanField(_("Visitors see all pictures with the watermark"))
    full = BooleanField(_("Give photos in full size with the watermark in the place of originals"))
    picture = FileField(_("Picture"))

    class Meta:
        csrf = True


def shown(tenant: Tenant, present: Watermark | None) -> dict[str, Any]:
    """The fields as they are saved, or as a tenant begins."""
    if present is None:
        return {"marks": tenant.marks, "size": 30, "opacity": 60}
    return {
        "marks": tenant.marks,
        "full": present.full,
        "source": present.source.value,
        "text": present.text,
        "position": present.position.value,
        "size": present.size,
        "opacity": present.opacity,
    }
