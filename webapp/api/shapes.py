"""What travels: the shapes of documents in and out, as marshmallow schemas, from which the description is made too.

Times are RFC 3339 in UTC, sizes bytes, durations seconds. Unknown members are refused, so that a typing error is told
and not ignored.
"""

from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from infra.errors import TABLE, TYPE_BASE
from tenants.catalog import AssetState, Kind, Ordering, Visibility
from tenants.names import ID_LENGTH
from tenants.people import MIN_PASSWORD
from tenants.privacy import Capture
from tenants.registry import Layout
from tenants.sharing import MAX_PIN, MIN_PIN, Rights
from tenants.tags import MAX_TAG, MOST_TAGS

ID = r"^[0-7][0-9a-hjkmnp-tv-z]{25}$"
_TEXT = r"^[^\x00]*$"
_SAYING = r"^[^\x00]*[^\s\x00-\x1f\x7f-\x9f][^\x00]*$"
"""With something in it beside spaces."""
_TAG = r"^[^\x00,،、，\n]*[^\s\x00-\x1f\x7f-\x9f,،、，#][^\x00,،、，\n]*$"
RIGHTS = {
    "view": Rights.VIEW,
    "download_web": Rights.WEB,
    "download_original": Rights.ORIGINAL,
    "favourite": Rights.FAVOURITE,
    "comment": Rights.COMMENT,
    "select": Rights.SELECT,
    "upload": Rights.UPLOAD,
}


class Shape(Schema):
    class Meta:
        unknown = RAISE


class Flag(fields.Boolean):
    """true or false, and nothing that resembles them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Moment(fields.AwareDateTime):
    """A time with an offset, kept in UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        found: datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return found.astimezone(UTC)
        except OverflowError:
            raise ValidationError("That is beyond the calendar.") from None


def text(most: int, *, saying: bool = False, **more: Any) -> fields.String:
    """Text of up to so many characters; `saying`: not empty."""
    pattern = validate.Regexp(_SAYING if saying else _TEXT, error="Nothing that can be read is in it.")
    least = 1 if saying else None
    return fields.String(validate=[validate.Length(least, most), pattern], **more)


def identifier(**more: Any) -> fields.String:
    """An id, as answers give it: 26 characters that sort by the time at which the thing was made."""
    return fields.String(validate=[validate.Length(equal=ID_LENGTH), validate.Regexp(ID)], **more)


def one_of(choices: Any, **more: Any) -> fields.String:
    """One of an enum's values."""
    return fields.String(validate=validate.OneOf([choice.value for choice in choices]), **more)


def whole(least: int, most: int, **more: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(least, most), **more)


def nothing() -> None:
    """The default of a parameter that may be left out. (A plain None would be described as one that may be null.)"""


def about(description: str) -> dict[str, Any]:
    return {"description": description}


class Trouble(Shape):
    """One thing that is wrong with a request."""

    pointer = fields.String(metadata=about("JSON pointer (RFC 6901) into the body."))
    parameter = fields.String(metadata=about("Name of a query parameter."))
    detail = fields.String(required=True)


class ProblemShape(Shape):
    """Problem details (RFC 9457). `type` tells programs what it is; `detail` tells people what to do."""

    type = fields.String(required=True, validate=validate.OneOf([TYPE_BASE + code for code in TABLE]))
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String()
    errors = fields.List(fields.Nested(Trouble))
    field = fields.String(metadata=about("The member that is wrong, where it is one."))
    scope = fields.String(metadata=about("The scope that is missing."))


class AlbumIn(Shape):
    """What of an album can be set. Members that are left out stay as they are, or as new albums have them."""

    title = text(200, saying=True)
    description = text(5000)
    visibility = one_of(Visibility, metadata=about("`public` is on the home page, `unlisted` opens by its address."))
    ordering = one_of(Ordering)
    layout = one_of(Layout, allow_none=True, metadata=about("null: as the brand says."))
    originals = Flag(metadata=about("Whether whoever sees the album may download originals."))
    capture = one_of(Capture, allow_none=True, metadata=about("What of the capture data pages show. null: as all."))
    place = Flag(allow_none=True, metadata=about("Whether pages show where photos were taken. null: as all."))
    watermark = Flag(allow_none=True, attribute="marks", metadata=about("null: as the tenant has it."))
    parent_id = identifier(allow_none=True, metadata=about("The album that it is in. null: none."))


class AlbumNew(AlbumIn):
    """A new album."""

    title = text(200, saying=True, required=True)


class AlbumChange(AlbumIn):
    """Changes of an album: what is left out stays."""

    cover_id = identifier(allow_none=True, metadata=about("An asset of the album. null: the first one."))


class AlbumOut(Shape):
    """An album."""

    id = identifier(required=True)
    title = fields.String(required=True)
    slug = fields.String(required=True)
    description = fields.String(required=True)
    visibility = one_of(Visibility, required=True)
    ordering = one_of(Ordering, required=True)
    layout = one_of(Layout, required=True, allow_none=True)
    originals = Flag(required=True)
    capture = one_of(Capture, required=True, allow_none=True)
    place = Flag(required=True, allow_none=True)
    watermark = Flag(required=True, allow_none=True)
    parent_id = identifier(required=True, allow_none=True)
    cover_id = identifier(required=True, allow_none=True)
    url = fields.Url(required=True, require_tld=False, metadata=about("Its page."))
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


class Picture(Shape):
    """One rendition of a photo or of a video's poster."""

    url = fields.String(required=True, metadata=about("Opens without a token for two days or longer, then no more."))
    content_type = fields.String(required=True)
    width = fields.Integer(required=True)
    height = fields.Integer(required=True)


class AssetOut(Shape):
    """A photo or a video."""

    id = identifier(required=True)
    album_id = identifier(required=True)
    kind = one_of(Kind, required=True)
    state = one_of(AssetState, required=True)
    reason = fields.String(required=True, metadata=about("Why it was rejected or failed; else empty."))
    filename = fields.String(required=True)
    content_type = fields.String(required=True)
    size = fields.Integer(required=True)
    sha256 = fields.String(required=True, metadata=about("Of the original, in hex."))
    width = fields.Integer(required=True, allow_none=True)
    height = fields.Integer(required=True, allow_none=True)
    duration = fields.Float(required=True, allow_none=True)
    caption = fields.String(required=True)
    alt = fields.String(required=True)
    tags = fields.List(fields.String(), required=True)
    taken_at = Moment(required=True, allow_none=True, metadata=about("null where the file does not say it."))
    held = Flag(required=True, metadata=about("Added by a guest and not approved yet."))
    pictures = fields.List(fields.Nested(Picture), required=True, metadata=about("Smallest first."))
    created_at = Moment(required=True)
    ready_at = Moment(required=True, allow_none=True)


class AssetChange(Shape):
    """Changes of an asset: what is left out stays."""

    caption = text(2000)
    alt = text(1000, metadata=about("What a screen reader says instead of the picture."))
    tags = fields.List(
        fields.String(validate=[validate.Length(1, MAX_TAG), validate.Regexp(_TAG, error="This is no tag.")]),
        validate=validate.Length(max=MOST_TAGS),
    )


class AssetMove(Shape):
    """A new place in an album that is arranged by hand."""

    after = identifier(required=True, allow_none=True, metadata=about("The asset to stand behind. null: the start."))


class LinkNew(Shape):
    """A new share link."""

    label = text(120, load_default="")
    rights = fields.List(
        fields.String(validate=validate.OneOf(list(RIGHTS))),
        load_default=["view"],
        metadata={**about("`view` is part of every link."), "uniqueItems": True, "default": ["view"]},
    )
    password = fields.String(load_default=None, allow_none=True, validate=validate.Length(MIN_PASSWORD, 1024))
    pin = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(rf"^[0-9]{{{MIN_PIN},{MAX_PIN}}}\Z", error="A PIN has 6 to 12 digits."),
        metadata=about("Asked for before downloads."),
    )
    asks_name = Flag(load_default=False)
    expires_at = Moment(load_default=None, allow_none=True)
    max_visits = whole(1, 1_000_000, load_default=None, allow_none=True)
    choose_at_most = whole(1, 10_000, load_default=None, allow_none=True)
    upload_files = whole(1, 100_000, load_default=None, allow_none=True)
    upload_bytes = whole(1, 10**13, load_default=None, allow_none=True)
    watermark = Flag(load_default=None, allow_none=True, attribute="marks")


class LinkOut(Shape):
    """A share link. Its password and PIN are never told."""

    id = identifier(required=True)
    album_id = identifier(required=True)
    label = fields.String(required=True)
    rights = fields.List(fields.String(validate=validate.OneOf(list(RIGHTS))), required=True)
    url = fields.String(
        required=True, allow_none=True, metadata=about("null if the server's secret was changed since.")
    )
    has_password = Flag(required=True)
    has_pin = Flag(required=True)
    asks_name = Flag(required=True)
    expires_at = Moment(required=True, allow_none=True)
    visits = fields.Integer(required=True)
    max_visits = fields.Integer(required=True, allow_none=True)
    last_visit_at = Moment(required=True, allow_none=True)
    choose_at_most = fields.Integer(required=True, allow_none=True)
    upload_files = fields.Integer(required=True, allow_none=True)
    upload_bytes = fields.Integer(required=True, allow_none=True)
    watermark = Flag(required=True, allow_none=True, attribute="marks")
    created_at = Moment(required=True)


class TicketOut(Shape):
    """What a tus 1.0 client needs to upload into the album. It sends `Authorization: Bearer <ticket>` to `endpoint`."""

    endpoint = fields.String(required=True)
    ticket = fields.String(required=True)
    expires_at = Moment(required=True)
    max_bytes = fields.Integer(required=True, metadata=about("Of one file."))


class UsageOut(Shape):
    """What was used from `from` until before `to`, and what the plan allows."""

    from_ = Moment(required=True, data_key="from", attribute="start")
    to = Moment(required=True, attribute="end")
    meters = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata=about("By meter, in bytes, milliseconds (`*.seconds`) or things."),
    )
    max_storage_bytes = fields.Integer(required=True, allow_none=True)
    max_upload_bytes = fields.Integer(required=True)
    max_photos_month = fields.Integer(required=True, allow_none=True)


def page_of(shape: type[Shape], name: str) -> type[Shape]:
    """A page of a list."""
    return type(
        name,
        (Shape,),
        {
            "__doc__": "A page of a list.",
            "items": fields.List(fields.Nested(shape), required=True),
            "next": fields.String(
                required=True, allow_none=True, metadata=about("The next page's cursor; null at the end.")
            ),
        },
    )
