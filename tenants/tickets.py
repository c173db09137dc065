"""Signed upload tickets: the dashboard mints them, the upload fleet checks them without asking the web fleet."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from infra.errors import Problem
from tenants.names import is_id

_SALT = "upload-ticket-1"


@dataclass(frozen=True)
class Ticket:
    """What an uploader may do until `expires` (epoch seconds): put files of `types` into one album.

    `max_bytes` bounds each file. `types` are media type ranges such as `image/*`; the content decides later, this is
    the first, cheap look at what the client declares. `member` is who asked, for the record.

    A guest's ticket names the share `link` that it came by, which must still take uploads at each request, and the
    `guest`, whose own uploads are all that it opens.
    """

    tenant: str
    album: str
    max_bytes: int
    types: tuple[str, ...]
    expires: int
    member: str = ""
    link: str = ""
    guest: str = ""

    def accepts(self, media_type: str) -> bool:
        main = media_type.partition("/")[0]
        return any(allowed in ("*/*", media_type, f"{main}/*") for allowed in self.types)


def mint(
    secret: str,
    *,
    tenant: str,
    album: str,
    max_bytes: int,
    now: datetime,
    lifetime: timedelta,
    types: tuple[str, ...] = ("image/*", "video/*"),
    member: str = "",
    link: str = "",
    guest: str = "",
) -> str:
    """The ticket as it travels: in the `Authorization: Bearer` header of every tus request."""
    ticket = Ticket(
        tenant=tenant,
        album=album,
        max_bytes=max_bytes,
        types=types,
        expires=int((now + lifetime).timestamp()),
        member=member,
        link=link,
        guest=guest,
    )
    token = URLSafeSerializer(secret, salt=_SALT).dumps(asdict(ticket))
    return token if isinstance(token, str) else token.decode()


def check(secret: str, token: str, *, now: datetime) -> Ticket:
    """Raises `Problem("bad-ticket")` if the signature or the shape is wrong, or the time is up."""
    try:
        fields = URLSafeSerializer(secret, salt=_SALT).loads(token)
        ticket = Ticket(**{**fields, "types": tuple(fields["types"])})
    except (BadSignature, TypeError, KeyError):
        raise Problem("bad-ticket", "Reload the page you upload from to get a new ticket.") from None
    if ticket.expires <= now.timestamp() or not (is_id(ticket.tenant) and is_id(ticket.album)):
        raise Problem("bad-ticket", "The ticket has expired. Reload the page you upload from, then resume.")
    return ticket
