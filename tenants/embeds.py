"""Embedding grants: which other sites may show which albums in a frame of their own pages."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Index, String, Text, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from infra.errors import Problem
from tenants.catalog import Album, Visibility
from tenants.db import Base, TenantOwned, belongs_to
from tenants.names import ID_LENGTH, is_id, new_id
from tenants.sharing import Rights, Viewer
from tenants.usage import Meter, UsageEvent

MOST_ORIGINS = 20
LIFETIME = timedelta(minutes=15)
"""Of a frame's token. Leafing through the album renews it."""

_SALT = "embed-frame-1"


class EmbedGrant(TenantOwned, Base):
    """One album, private or not, or (`album_id` None) every album that is not private, on the sites in `origins`.

    The key stands in the embedding page's source: it is a name, not a secret.
    """

    __tablename__ = "embed_grants"
    __table_args__ = (
        belongs_to("albums", "album_id"),
        UniqueConstraint("key"),
        Index("ix_embed_grants_album", "tenant_id", "album_id"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    key: Mapped[str] = mapped_column(String(22))
    album_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    label: Mapped[str] = mapped_column(String(120), default="")
    origins: Mapped[str] = mapped_column(Text)
    """Separated by spaces, as `frame-ancestors` takes them."""
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    @property
    def allowed_origins(self) -> list[str]:
        return self.origins.split()

    def covers(self, album: Album) -> bool:
        if self.album_id is None:
            return album.visibility is not Visibility.PRIVATE
        return self.album_id == album.id

    def viewer(self, album: Album, *, marks: bool) -> Viewer:
        """Who looks through a frame: nobody in particular, whom this grant lets into what it covers. `marks` is what
        the tenant says of the watermark."""
        if not self.covers(album):
            return Viewer(tenant_id=self.tenant_id, marks_by_default=marks)
        ways = {album.id: by_grant(self.id)} if self.album_id else {}  # Others are open to everyone anyway.
        return Viewer(tenant_id=self.tenant_id, grants={album.id: Rights.VIEW}, ways=ways, marks_by_default=marks)


def by_grant(grant_id: str) -> str:
    """The way of a frame on another site into the grant's album (`tenants/delivery.py`)."""
    return f"e{grant_id}"


def create(
    session: Session, tenant_id: str, origins: list[str], *, now: datetime, album: Album | None, label: str = ""
) -> EmbedGrant:
    """Raises `Problem` for an origin that is none."""
    grant = EmbedGrant(
        tenant_id=tenant_id,
        id=new_id(),
        key=secrets.token_urlsafe(16),
        album_id=album.id if album else None,
        label=label.strip()[:120],
        origins=" ".join(origins),
        created_at=now,
    )
    session.add(grant)
    session.flush()
    return grant


def origins_of(text: str) -> list[str]:
    """Origins as someone types them, one a line. Raises `Problem("invalid")` that names the first that is none."""
    origins = list(dict.fromkeys(_origin(line) for line in text.split()))
    if not origins:
        raise Problem("invalid", "Name at least one website, like https://www.example.com.", field="origins")
    if len(origins) > MOST_ORIGINS:
        raise Problem(
            "invalid",
            "%(most)d websites at most. Make a second one for the rest.",
            values={"most": MOST_ORIGINS},
            field="origins",
        )
    return origins


def _origin(text: str) -> str:
    """Scheme, host and port (RFC 6454, section 6.2). Nothing that means more than one, and nothing that could end the
    directive that it is put into."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = (parts.hostname or "").encode("idna").decode().lower(), parts.port
    except (ValueError, UnicodeError):
        host, port, parts = "", None, urlsplit("")
    known = bool(host) and all(c.isascii() and (c.isalnum() or c in ".-") for c in host)
    if parts.scheme not in ("http", "https") or not known or parts.username or parts.path.strip("/") or parts.query:
        raise Problem(
            "invalid",
            "“%(text)s” is no website's address. Write it like https://www.example.com.",
            values={"text": text[:80]},
            field="origins",
        )
    standard = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in (None, standard) else f":{port}")


def by_key(session: Session, key: str) -> EmbedGrant | None:
    """The live grant of the tenant in scope."""
    return session.scalar(select(EmbedGrant).where(EmbedGrant.key == key, EmbedGrant.revoked_at.is_(None)))


def of_album(session: Session, album: Album) -> list[EmbedGrant]:
    """The live grants that name the album or the whole site, newest first."""
    named = or_(EmbedGrant.album_id == album.id, EmbedGrant.album_id.is_(None))
    live = select(EmbedGrant).where(named, EmbedGrant.revoked_at.is_(None))
    return list(session.scalars(live.order_by(EmbedGrant.id.desc())))


def by_id(session: Session, tenant_id: str, grant_id: str) -> EmbedGrant | None:
    return session.get(EmbedGrant, (tenant_id, grant_id)) if is_id(grant_id) else None


# --- Usage ----------------------------------------------------------------------------------------------------------


def view_id(grant: EmbedGrant) -> str:
    """The ledger's id of one view: it names the grant, so that each has its own line."""
    return f"embed:{grant.id}:{new_id()}"


def views(session: Session, grants: list[EmbedGrant], start: datetime, end: datetime) -> dict[str, int]:
    """Views over [start, end) by grant id, from the ledger."""
    line = func.substr(UsageEvent.id, len("embed:") + 1, ID_LENGTH)
    rows = session.execute(
        select(line, func.sum(UsageEvent.quantity))
        .where(UsageEvent.meter == Meter.EMBED_VIEWS, UsageEvent.at >= start, UsageEvent.at < end)
        .where(line.in_([grant.id for grant in grants]))
        .group_by(line)
    )
    return {grant_id: int(total) for grant_id, total in rows}


# --- Tokens ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrameToken:
    """What a frame's address carries in place of a cookie: that the grant's origin check was passed, until then."""

    grant_id: str
    album_id: str
    expires: int


def mint(secret: str, grant: EmbedGrant, album: Album, *, now: datetime) -> str:
    """Safe as one URL path segment."""
    fields = [grant.id, album.id, int((now + LIFETIME).timestamp())]
    token: str = URLSafeSerializer(secret, salt=_SALT).dumps(fields)
    return token


def read(secret: str, token: str) -> FrameToken | None:
    """None for a token that is not ours. Whether its time is over is for the caller to look at."""
    try:
        return FrameToken(*URLSafeSerializer(secret, salt=_SALT).loads(token))
    except (BadSignature, TypeError, ValueError):
        return None
