"""The form of the brand: its fields, and how they become the brand's columns."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, Length, ValidationError

from infra.errors import N_
from tenants.registry import Brand, Font, Layout, Link, Tenant, Theme
from webapp.brand.css import MAX_LENGTH
from webapp.dashboard.forms import LAYOUTS, said
from webapp.language import OFFERED

THEMES = {
    Theme.AUTO.value: N_("As the visitor prefers"),
    Theme.LIGHT.value: N_("Always light"),
    Theme.DARK.value: N_("Always dark"),
}
FONTS = {font.value: font.value.title() for font in Font}
PAIRS = (("paper_light", "ink_light"), ("paper_dark", "ink_dark"))
COLOURS = ("accent", *(name for pair in PAIRS for name in pair))
HEADER_LINKS, FOOTER_LINKS = 4, 6

_HEX = re.compile(r"#[0-9a-f]{6}")
_NOT_IN_URLS = re.compile(r"[\s\x00-\x1f\x7f\\<>\"{}|^`]")


def _stripped(value: str | None) -> str:
    return (value or "").strip()


def _lower(value: str | None) -> str:
    return _stripped(value).lower()


def web_address(text: str) -> bool:
    """Whether it is an absolute http or https address without credentials, as RFC 3986 writes it."""
    if _NOT_IN_URLS.search(text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and (port is None or port > 0)
    )


class LinkForm(Form):
    """A row of label and address; both empty is no link."""

    label = StringField(_("Label"), [Length(max=40)], filters=[_stripped])
    url = StringField(_("Address"), [Length(max=500)], filters=[_stripped])

    def validate_label(self, field: StringField) -> None:
        if self.url.data and not field.data:
            raise ValidationError(_("Say what the link is called."))

    def validate_url(self, field: StringField) -> None:
        if self.label.data and not field.data:
            raise ValidationError(_("Say where the link leads."))
        if field.data and not web_address(field.data):
            raise ValidationError(_("Write the whole address, like https://example.com/prints."))


class BrandForm(FlaskForm):
    name = StringField(_("Name"), [DataRequired(_("Your brand needs a name.")), Length(max=120)], filters=[_stripped])
    tagline = StringField(_("Tagline"), [Length(max=200)], filters=[_stripped])
    locale = SelectField(
        _("Language of your pages"), choices=said({"": N_("As the visitor's browser asks"), **OFFERED})
    )
    accent = StringField(_("Accent colour"), filters=[_lower])
    paper_light = StringField(_("Background"), filters=[_lower])
    ink_light = StringField(_("Text"), filters=[_lower])
    paper_dark = StringField(_("Background"), filters=[_lower])
    ink_dark = StringField(_("Text"), filters=[_lower])
    font = RadioField(_("Typeface of text"), choices=FONTS)
    heading_font = SelectField(_("Typeface of headings"), choices=said({"": N_("As the text"), **FONTS}))
    theme = RadioField(_("Theme"), choices=said(THEMES))
    layout = RadioField(_("Layout of albums"), choices=said(LAYOUTS))
    header_links = FieldList(FormField(LinkForm), min_entries=HEADER_LINKS, max_entries=HEADER_LINKS)
    footer_links = FieldList(FormField(LinkForm), min_entries=FOOTER_LINKS, max_entries=FOOTER_LINKS)
    css = TextAreaField(_("Your own CSS"), [Length(max=MAX_LENGTH)], filters=[_stripped])
    logo = FileField(_("Logo"))
    remove_logo = BooleanField(_("Remove the logo"))
    icon = FileField(_("Icon"))
    remove_icon = BooleanField(_("Remove the icon"))

    def validate_accent(self, field: StringField) -> None:
        _colour(field.data)

    def validate_paper_light(self, field: StringField) -> None:
        _one_of_pair(field, self.ink_light)

    def validate_ink_light(self, field: StringField) -> None:
        _one_of_pair(field, self.paper_light)

    def validate_paper_dark(self, field: StringField) -> None:
        _one_of_pair(field, self.ink_dark)

    def validate_ink_dark(self, field: StringField) -> None:
        _one_of_pair(field, self.paper_dark)


def _colour(text: str) -> None:
    if not _HEX.fullmatch(text):
        raise ValidationError(_("Write the colour as # and six digits, like #3a5a78."))


def _one_of_pair(field: StringField, other: StringField) -> None:
    if field.data:
        _colour(field.data)
    elif other.data:
        raise ValidationError(_("Background and text go together: choose both, or leave both empty."))


def shown(tenant: Tenant) -> dict[str, object]:
    """What the form shows of a brand."""
    brand: Brand = tenant.brand
    return {
        "name": tenant.name,
        "tagline": brand.tagline,
        "locale": brand.locale or "",
        **{name: getattr(brand, name) or "" for name in COLOURS},
        "font": brand.font.value,
        "heading_font": brand.heading_font.value if brand.heading_font else "",
        "theme": brand.theme.value,
        "layout": brand.layout.value,
        "header_links": [dict(link) for link in brand.header_links],
        "footer_links": [dict(link) for link in brand.footer_links],
        "css": brand.css,
    }


def fill(form: BrandForm, tenant: Tenant, *, but: Collection[str] = ()) -> None:
    """Write the form's fields into tenant and brand, except `but` those that are wrong. Pictures are not fields."""
    values: dict[str, object] = {
        "tagline": form.tagline.data,
        "locale": form.locale.data or None,
        "accent": form.accent.data,
        **{name: form[name].data or None for pair in PAIRS for name in pair},
        "font": Font(form.font.data),
        "heading_font": Font(form.heading_font.data) if form.heading_font.data else None,
        "theme": Theme(form.theme.data),
        "layout": Layout(form.layout.data),
        "header_links": _links(form.header_links),
        "footer_links": _links(form.footer_links),
        "css": form.css.data,
    }
    left_out = {name for pair in PAIRS for name in pair if set(pair) & set(but)} | set(but)
    for name, value in values.items():
        if name not in left_out:
            setattr(tenant.brand, name, value)
    if "name" not in left_out:
        tenant.name = form.name.data


def _links(rows: FieldList) -> list[Link]:
    return [Link(label=row["label"], url=row["url"]) for row in rows.data if row["label"] and row["url"]]
